package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// fixture is an installation on which a test runs commands. What they print is kept, and
// must not contain any of the secrets at the end.
type fixture struct {
	*testing.T
	served   bool // a server runs, and the commands call it
	settings string
	dir      string
	secrets  []string
	printed  bytes.Buffer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureOf(t, servertest.NewInstallation)
}

func newFixtureOf(t *testing.T, install func(*testing.T) (settings, public, admin string)) *fixture {
	t.Helper()
	o := &fixture{T: t, served: strings.HasPrefix(t.Name(), overAServer+"/")}
	var admin string
	o.settings, _, admin = install(t)
	o.dir = filepath.Dir(o.settings)
	if o.served {
		startServer(t, o.settings, admin, http.StatusOK)
	}
	t.Cleanup(func() {
		for _, s := range o.secrets {
			if strings.Contains(o.printed.String(), s) {
				t.Errorf("a secret was printed: %q", s)
			}
		}
	})
	return o
}

// run runs a command with something on standard input.
func (o *fixture) run(stdin string, args ...string) (code int, out, err string) {
	o.Helper()
	p, stdout, stderr := testProgram("SALLYPORT_CONFIG=" + o.settings)
	p.In = strings.NewReader(stdin)
	code = p.Main(o.Context(), commands(), args)
	o.printed.WriteString(stdout.String() + stderr.String())
	return code, stdout.String(), stderr.String()
}

// must runs a command that must succeed.
func (o *fixture) must(args ...string) string {
	o.Helper()
	code, out, err := o.run("", args...)
	if code != cli.ExitOK {
		o.Fatalf("sallyport %s: exit code %d: %s", strings.Join(args, " "), code, err)
	}
	return out
}

// read runs a command with --json and decodes its output.
func (o *fixture) read(into any, args ...string) {
	o.Helper()
	if err := json.Unmarshal([]byte(o.must(append(args, "--json")...)), into); err != nil {
		o.Fatalf("sallyport %s --json: %v", strings.Join(args, " "), err)
	}
}

// file writes a file beside the settings.
func (o *fixture) file(name, text string) string {
	o.Helper()
	path := filepath.Join(o.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		o.Fatal(err)
	}
	return path
}

// withServer calls do with a server over the same database.
func (o *fixture) withServer(do func(h *server.Server)) {
	o.Helper()
	p, _, _ := testProgram()
	c, err := config.Load(o.settings, nil)
	if err != nil {
		o.Fatal(err)
	}
	h, err := openServer(o.Context(), p, c)
	if err != nil {
		o.Fatal(err)
	}
	defer h.Close()
	do(h)
}

// account reads a user by name.
func (o *fixture) account(name string) storage.Account {
	o.Helper()
	var a storage.Account
	o.withServer(func(h *server.Server) {
		var err error
		if a, err = h.Users.Named(o.Context(), name); err != nil {
			o.Fatal(err)
		}
	})
	return a
}

// belongings are a session, a grant, an offline grant and a pending login of a user.
type belongings struct {
	session        storage.SessionID
	grant, offline storage.GrantID
	request        storage.RequestID
}

func (o *fixture) belongings(name string) belongings {
	o.Helper()
	user := o.account(name).User.ID
	now := time.Now()
	id := func() string { return storage.TimeOrdered(now, rand.Reader) }
	b := belongings{storage.SessionID(id()), storage.GrantID(id()), storage.GrantID(id()), storage.RequestID(id())}
	ok := func(err error) {
		o.Helper()
		if err != nil {
			o.Fatal(err)
		}
	}
	o.withServer(func(h *server.Server) {
		ctx := o.Context()
		ok(h.Store.CreateSession(ctx, storage.Session{ID: b.session, UserID: user, Origin: "browser", Generation: 1, UserAgent: "evil\x1b[2Jagent",
			CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour),
			Factors: []storage.Factor{{Method: "password", Kinds: []storage.Kind{storage.Know}, AMR: []string{"pwd"}, At: now}}}, nil))
		for grant, offline := range map[storage.GrantID]bool{b.grant: false, b.offline: true} {
			ok(h.Store.FinishRequest(ctx, storage.Finish{Now: now, Grant: &storage.Grant{ID: grant, Offline: offline, Refreshable: true,
				Authorization: storage.Authorization{ClientID: "shop", UserID: user, SessionID: b.session, AuthTime: now, RequestedAt: now},
				CreatedAt:     now, RedeemedAt: now, RotatedAt: now, RefreshUntil: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)}}))
		}
		ok(h.Store.OpenRequest(ctx, storage.AuthRequest{ID: b.request, ClientID: "shop", State: storage.RequestOpen,
			RequestedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour)}))
		ok(h.Store.ChangeRequest(ctx, storage.RequestChange{ID: b.request, Subject: user, Now: now}, nil))
	})
	return b
}

// remaining returns which belongings are still valid.
func (o *fixture) remaining(b belongings) string {
	o.Helper()
	var left []string
	o.withServer(func(h *server.Server) {
		ctx := o.Context()
		if _, _, err := h.Store.Session(ctx, b.session, time.Now()); err == nil {
			left = append(left, "session")
		}
		for _, g := range []struct {
			name string
			id   storage.GrantID
		}{{"grant", b.grant}, {"offline", b.offline}} {
			if s, err := h.Store.Grant(ctx, g.id); err == nil && s.Alive() {
				left = append(left, g.name)
			}
		}
		if r, _, err := h.Store.Request(ctx, b.request, "", time.Now()); err == nil && r.State == storage.RequestOpen {
			left = append(left, "login")
		}
	})
	return strings.Join(left, " ")
}

// countEvents counts the events of a kind about a user. All of them must be an administrator's.
func (o *fixture) countEvents(kind string, user storage.UserID) int {
	o.Helper()
	n := 0
	o.withServer(func(h *server.Server) {
		events, err := h.Store.ListEvents(o.Context(), storage.EventFilter{Kind: kind, UserID: user, Limit: 100})
		if err != nil {
			o.Fatal(err)
		}
		for _, e := range events {
			if (e.Address == "127.0.0.1") != o.served || e.CorrelationID == "" {
				o.Errorf("%s was done from %q (%q), and a server runs: %v", kind, e.Address, e.CorrelationID, o.served)
			}
			if e.Actor != users.ActorAdmin {
				o.Errorf("%s was done by %q, want %q", kind, e.Actor, users.ActorAdmin)
			}
			n++
		}
	})
	return n
}

// rejects runs commands that must be refused.
func (o *fixture) rejects(cases []refused) {
	o.Helper()
	for _, tc := range cases {
		o.Run(tc.name, func(t *testing.T) {
			code, out, err := o.run(tc.stdin, tc.args...)
			if code != tc.code || !strings.Contains(err, tc.err) {
				t.Errorf("exit code %d, want %d; standard error %q, want %q in it", code, tc.code, err, tc.err)
			}
			if out != "" {
				t.Errorf("standard output %q, want none", out)
			}
		})
	}
}

// refused is a command that must be refused, with its exit code and error.
type refused struct {
	name  string
	stdin string
	code  int
	err   string
	args  []string
}
