package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// load is users who sign in continuously.
type load struct {
	t      *testing.T
	stage  *stage
	over   atomic.Bool
	logins atomic.Int64
	kids   sync.Map // of the signing keys seen
	all    sync.WaitGroup
}

const loadWorkers = 3

// newLoad lets users sign in and use their tokens until it is stopped. Every login must
// succeed.
func newLoad(t *testing.T, s *stage) *load {
	t.Helper()
	l := &load{t: t, stage: s}
	for range loadWorkers {
		u := s.user(t, false)
		l.all.Go(func() {
			for !l.over.Load() && !t.Failed() {
				l.login(u)
			}
		})
	}
	return l
}

func (l *load) login(u user) {
	a := newParty(l.t, l.stage, "web", webRedirect, l.stage.secret, "openid", "offline_access")
	p := newPerson(l.t, l.stage.issuer).open(a.start()).signIn(u)
	token, _, _ := a.tokens(p)
	if !a.active(token.AccessToken) {
		l.t.Error("a fresh access token is not active")
	}
	next, err := a.refresh(token.RefreshToken)
	if err != nil {
		l.t.Errorf("refresh: %v", err)
		return
	}
	raw, _ := next.Extra("id_token").(string)
	l.kids.Store(kid(l.t, raw), true)
	l.logins.Add(1)
}

// more waits for n more logins.
func (l *load) more(n int64) {
	l.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Minute)
	for want := l.logins.Load() + n; l.logins.Load() < want; <-tick.C {
		if time.Now().After(deadline) || l.t.Failed() {
			l.t.Fatalf("%d logins, want %d", l.logins.Load(), want)
		}
	}
}

// met waits for a token signed by another key than old.
func (l *load) met(old string) {
	l.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; l.more(1) {
		fresh := false
		l.kids.Range(func(kid, _ any) bool {
			fresh = fresh || kid != old
			return !fresh
		})
		if fresh {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatal("no token was signed by the new key")
		}
	}
}

func (l *load) stop() {
	l.over.Store(true)
	l.all.Wait()
	l.t.Logf("%d logins", l.logins.Load())
}

// kid returns the key ID of a token (RFC 7515 section 4.1.4).
func kid(t *testing.T, token string) string {
	t.Helper()
	head := struct {
		Kid string `json:"kid"`
	}{}
	text, _, _ := strings.Cut(token, ".")
	fromBase64JSON(t, text, &head)
	return head.Kid
}

// TestKeysRotateUnderLoad rotates every key of a running server without effect on users. It does
// not run beside other tests, as no login of its users may be refused because the machine is busy.
//
// Conformance (Attacks): OpenID Connect Core 10.1.1: keys of a client, and of the server, rotate while both are in use
// Conformance (Registration): Core 10.1.1: module server-rotate-keys of the dynamic plan: the server changes its keys, and what they signed stays valid
func TestKeysRotateUnderLoad(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			s := newStage(t, engine)
			u := s.user(t, true)
			a := newParty(t, s, "bank", bankRedirect, "", "openid", "offline_access")
			p := newPerson(t, s.issuer).open(a.start()).signIn(u).at("/mfa")
			p.submit("mfa-submit", "passcode", p.totp(u.totp))
			before, _, _ := a.tokens(p)
			w := newParty(t, s, "web", webRedirect, s.secret)
			v := s.user(t, false)
			access, _, _ := w.tokens(newPerson(t, s.issuer).open(w.start()).signIn(v))

			l := newLoad(t, s)
			l.more(3)
			for _, use := range []string{"oidc", "dialect", "data", "hash", "pepper", "subject", "session", "token"} {
				s.command(t, "keys", "rotate", "--config", s.config, "--use", use, "--now")
			}
			raw, _ := before.Extra("id_token").(string)
			l.met(kid(t, raw))
			l.more(10)
			l.stop()

			if !w.active(access.AccessToken) {
				t.Error("an access token from before is not active")
			}
			a.verify(before)
			if _, err := a.refresh(before.RefreshToken); err != nil {
				t.Errorf("a refresh token from before: %v", err)
			}
			again := newParty(t, s, "bank", bankRedirect, "")
			again.tokens(p.open(again.start(oauth2.SetAuthURLParam("prompt", "none"))))
		})
	}
}

// TestResealUnderLoad moves a running server to another key-encryption key, data key and
// hash key. Then everything works without the old key file. It runs alone, too.
func TestResealUnderLoad(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			s := setStage(t, engine)
			file := filepath.Join(filepath.Dir(s.config), "keys")
			s.command(t, "keyfile", file+".new")
			old, fresh := readFile(t, file), readFile(t, file+".new")
			writeFile(t, file, fresh+old)
			s.serve(t)
			used := s.user(t, true)
			redeem(t, s, used, recoveryCodes(used)[0])

			l := newLoad(t, s)
			l.more(3)
			for _, use := range []string{"data", "hash"} {
				s.command(t, "keys", "rotate", "--config", s.config, "--use", use, "--now")
			}
			out := s.command(t, "keys", "reseal", "--config", s.config, "--data", "--batch", "25")
			l.more(10)
			l.stop()
			if !strings.Contains(out, "Keys: 10 resealed") || !strings.Contains(out, "Every stored secret is under the newest keys") {
				t.Errorf("output of reseal:\n%s", out)
			}
			if again := s.command(t, "keys", "reseal", "--config", s.config, "--data"); !strings.Contains(again, "Keys: 0 resealed") ||
				!strings.Contains(again, fmt.Sprintf("authenticators.secret: %d read, 0 resealed", 3*usersWithTOTP)) {
				t.Errorf("output of a second reseal:\n%s", again)
			}
			s.retireOld(t)

			s.stop(t)
			writeFile(t, file, fresh)
			s.serve(t)
			redeem(t, s, used, recoveryCodes(used)[1])
			for range 5 {
				u := s.user(t, true)
				a := newParty(t, s, "bank", bankRedirect, "")
				p := newPerson(t, s.issuer).open(a.start()).signIn(u).at("/mfa")
				p.submit("mfa-submit", "passcode", p.totp(u.totp))
				a.tokens(p)
				redeem(t, s, u, recoveryCodes(u)[0])
			}
			if p := tryCode(t, s, used, recoveryCodes(used)[0]); p.arrived != nil {
				t.Error("a recovery code used before the reseal works again")
			}
			s.stop(t)
			writeFile(t, file, old)
			if text := s.refuses(t); !strings.Contains(text, "which is not in the key file") {
				t.Errorf("with the old key file alone the server says %s", text)
			}
		})
	}
}

// retireOld retires the data and hash keys that have successors.
func (s *stage) retireOld(t *testing.T) {
	t.Helper()
	n := 0
	for line := range strings.Lines(s.command(t, "keys", "list", "--config", s.config)) {
		f := strings.Fields(line)
		if len(f) > 4 && (f[1] == "data" || f[1] == "hash") && f[4] == "retired" {
			s.command(t, "keys", "retire", "--config", s.config, f[0])
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d keys retired, want 2", n)
	}
}

func tryCode(t *testing.T, s *stage, u user, code string) *person {
	t.Helper()
	a := newParty(t, s, "bank", bankRedirect, "")
	p := newPerson(t, s.issuer).open(a.start()).signIn(u).at("/mfa")
	p.open(s.issuer + link(t, p, "method-recovery")).at("/mfa")
	return p.submit("mfa-submit", "passcode", code)
}

// redeem signs in with a recovery code.
func redeem(t *testing.T, s *stage, u user, code string) {
	t.Helper()
	if p := tryCode(t, s, u, code); p.arrived == nil {
		t.Fatalf("recovery code refused:\n%s", p.text)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
