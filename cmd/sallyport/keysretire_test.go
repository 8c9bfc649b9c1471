package main

import (
	"context"
	"encoding/base32"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web"
)

const (
	aliceSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	alicePass   = "correct horse battery"
	aliceState  = `clients:
  - client_id: bank
    public: true
    silent_login: true
    mfa: ALWAYS
    scopes: [openid]
    redirect_uris: [http://127.0.0.1:9/bank]
users:
  - username: alice
    password: ` + alicePass + `
    totp_secret: ` + aliceSecret + `
    recovery_codes: [abcdefghijkmnpqrstuvwxyz, bcdefghijkmnpqrstuvwxyz2, cdefghijkmnpqrstuvwxyz23]
`
)

// listen serves the server under its issuer, with the clock of the test.
func listen(s servertest.Server, issuer string) {
	s.T.Helper()
	l, err := net.Listen("tcp", strings.TrimPrefix(issuer, "http://"))
	if err != nil {
		s.T.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(ctx, web.NewServer(s.Handler, s.Log), l, web.Stop{Grace: time.Second}) }()
	s.T.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.T.Error(err)
		}
	})
}

// enters reports whether Alice can sign in with a second factor.
func enters(s servertest.Server, issuer, method, code string) bool {
	s.T.Helper()
	v := newFormBrowser(s.T)
	v.at, _ = url.Parse(issuer)
	v.got(v.http.Get(issuer + "/authorize?" + url.Values{"client_id": {"bank"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"0123456789"},
		"redirect_uri": {"http://127.0.0.1:9/bank"}, "code_challenge": {strings.Repeat("x", 43)}, "code_challenge_method": {"S256"}}.Encode()))
	v.submit("login-form", "username", "alice", "password", alicePass)
	if v.at.Path != "/mfa" {
		s.T.Fatalf("after the password at %s:\n%s", v.at, v.page)
	}
	if method != "totp" {
		q := v.at.Query()
		q.Set("method", method)
		v.at.RawQuery = q.Encode()
		v.got(v.http.Get(v.at.String()))
	}
	v.submit("mfa-form", "passcode", code)
	return v.at.Port() == "9" && v.at.Query().Get("code") != ""
}

func passcode(s servertest.Server) string {
	s.T.Helper()
	secret, err := base32.StdEncoding.DecodeString(aliceSecret)
	if err != nil {
		s.T.Fatal(err)
	}
	return s.TOTP.CodeAt(secret, s.Now())
}

func lastKey(s servertest.Server, use string) storage.KeyID { return s.Keyring.Current(use) }

// The old data key, hash key and pepper expire once nothing depends on them. Then Alice can
// still sign in, her used codes stay used, and her failures still count.
func TestRetiringKeysKeepsUsers(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		var c servertest.Clock
		s := servertest.New(t, settings, &c)
		servertest.Apply(t, settings, aliceState)
		loaded, err := config.Load(settings, nil)
		if err != nil {
			t.Fatal(err)
		}
		issuer := loaded.Issuer
		listen(s, issuer)
		enter := func(want bool, method, code string) {
			t.Helper()
			if got := enters(s, issuer, method, code); got != want {
				t.Errorf("signed in with %s: %v, want %v", method, got, want)
			}
		}
		enter(true, "totp", passcode(s))
		enter(true, "recovery", "abcdefghijkmnpqrstuvwxyz")
		for range 3 {
			enter(false, "totp", "000000")
		}
		uses := []string{"data", "hash", "pepper"}
		old := map[string]storage.KeyID{}
		for _, use := range uses {
			old[use] = lastKey(s, use)
			if _, err := s.Keys.Rotate(t.Context(), "admin", use, "", time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		c.Move(2 * time.Minute)
		s.Poll()
		for _, use := range uses {
			if lastKey(s, use) == old[use] {
				t.Fatalf("the new %s key is not used", use)
			}
			if err := s.Keys.CheckUnused(t.Context(), old[use]); err == nil {
				t.Errorf("nothing depends on the old %s key", use)
			}
		}
		if err := s.Keys.ResealData(t.Context(), 10, t.Logf); err != nil {
			t.Fatal(err)
		}
		if err := s.Keys.CheckUnused(t.Context(), old["pepper"]); err == nil {
			t.Error("a pepper is unused before its user has signed in")
		}
		// Two more failures make five with those from before: then there is a wait.
		for range 2 {
			enter(false, "totp", "000000")
		}
		enter(false, "totp", passcode(s))
		c.Move(time.Minute)
		enter(true, "totp", passcode(s))
		for _, use := range uses {
			if err := s.Keys.CheckUnused(t.Context(), old[use]); err != nil {
				t.Errorf("%s: %v", use, err)
			}
			if _, err := s.Keys.Retire(t.Context(), old[use]); err != nil {
				t.Fatal(err)
			}
		}
		c.Move(49 * time.Hour)
		s.Poll()
		for _, k := range s.Keyring.Rows() {
			if k.ID == old[k.Use] {
				t.Errorf("the old %s key is still there", k.Use)
			}
		}
		enter(true, "totp", passcode(s))
		enter(false, "recovery", "abcdefghijkmnpqrstuvwxyz")
		enter(true, "recovery", "bcdefghijkmnpqrstuvwxyz2")
		if events := s.EventsOf(mfa.EventKeysResealed); len(events) != 1 || events[0].Detail["broken"] != "0" {
			t.Errorf("events = %+v", events)
		}
	})
}

// The command waits until every server uses the newest keys, for a limited time.
func TestResealWaitsForTheNewestKeys(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	var c servertest.Clock
	s := servertest.New(t, settings, &c)
	if err := s.Keys.AwaitNewest(t.Context(), t.Logf); err != nil {
		t.Errorf("with first keys only: %v", err)
	}
	if _, err := s.Keys.Rotate(t.Context(), "admin", "data", "", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := s.Keys.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Keys.AwaitNewest(t.Context(), t.Logf); err == nil || !strings.Contains(err.Error(), "try again then") {
		t.Errorf("an hour before: %v", err)
	}
	c.Move(time.Hour - time.Minute)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Keys.AwaitNewest(stopped, t.Logf); fmt.Sprint(err) != "stopped" {
		t.Errorf("a minute before, and stopped: %v", err)
	}
	c.Move(2 * time.Minute)
	if err := s.Keys.AwaitNewest(t.Context(), t.Logf); err != nil {
		t.Errorf("a minute after: %v", err)
	}
}
