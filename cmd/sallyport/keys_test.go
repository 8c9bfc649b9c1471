package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/storage/seal"
)

// O-16: a key is published a day before it signs, and until a day after its last token.
func TestSigningKeyRotates(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		var c servertest.Clock
		s := servertest.New(t, settings, &c)
		_, old := s.Token()
		change, err := s.Keys.Rotate(t.Context(), "admin", "oidc", "RS256", seal.Lead("oidc", false))
		if err != nil || len(change.Add) != 1 {
			t.Fatalf("rotate = %+v, %v", change, err)
		}
		next := string(change.Add[0].ID)
		step := func(by time.Duration, signs string, published ...string) string {
			t.Helper()
			c.Move(by)
			s.Poll()
			token, kid := s.Token()
			if kid != signs {
				t.Errorf("signed with %s, want %s", kid, signs)
			}
			got := s.Published("RS256")
			slices.Sort(got)
			slices.Sort(published)
			if !slices.Equal(got, published) {
				t.Errorf("published %v, want %v", got, published)
			}
			return token
		}
		step(0, old, old, next)
		last := step(24*time.Hour-2*time.Minute, old, old, next)
		step(2*time.Minute, next, old, next)
		if !s.Active(last) {
			t.Error("a token signed by the old key became invalid with the rotation")
		}
		step(7*time.Minute, next, old, next)
		if !s.Active(last) {
			t.Error("a token signed by the old key became invalid early")
		}
		step(time.Minute, next, old, next)
		if s.Active(last) {
			t.Error("a token outlived its expiry")
		}
		step(24*time.Hour+50*time.Minute, next, old, next)
		step(3*time.Minute, next, next)
		events := s.EventsOf(mfa.EventKeysRotated)
		if len(events) != 1 || events[0].Actor != "admin" || events[0].Detail["key"] != next || events[0].Detail["alg"] != "RS256" {
			t.Errorf("events = %+v", events)
		}
	})
}

func TestStolenSigningKeyIsWithdrawnImmediately(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		var c servertest.Clock
		s := servertest.New(t, settings, &c)
		token, stolen := s.Token()
		if !s.Active(token) {
			t.Fatal("a fresh token is not active")
		}
		out := run(t, "keys", "retire", "--yes", "--config", settings, "--emergency", stolen)
		if !strings.Contains(out, "IS WITHDRAWN") || !strings.Contains(out, "jwks.json") || !strings.Contains(out, "replaces it now") {
			t.Errorf("output = %s", out)
		}
		s.Poll()
		if s.Active(token) {
			t.Error("a token signed by the stolen key is still active")
		}
		again, kid := s.Token()
		if got := s.Published("RS256"); kid == stolen || !s.Active(again) || !slices.Equal(got, []string{kid}) {
			t.Errorf("signed with %s, published %v, stolen %s", kid, got, stolen)
		}
		if events := s.EventsOf(mfa.EventKeysWithdrawn); len(events) != 1 || events[0].Detail["key"] != stolen || events[0].Detail["by"] != kid {
			t.Errorf("events = %+v", events)
		}
		if list := run(t, "keys", "list", "--config", settings); strings.Contains(list, stolen) || !strings.Contains(list, kid) {
			t.Errorf("list = %s", list)
		}
		if list := run(t, "keys", "list", "--all", "--config", settings); !strings.Contains(list, stolen) {
			t.Errorf("list of all = %s", list)
		}
	})
}

func TestKeysCommandLine(t *testing.T) {
	settings, _, _ := servertest.NewUnstarted(t)
	play := func(args string) (code int, out, err string) {
		p, o, e := testProgram("SALLYPORT_CONFIG=" + settings)
		code = p.Main(context.Background(), commands(), strings.Fields(args))
		return code, o.String(), e.String()
	}
	if code, _, err := play("keys rotate --use oidc"); code != cli.ExitFailed || !strings.Contains(err, "there are no keys yet") {
		t.Errorf("before the first start: %d %s", code, err)
	}
	s := servertest.New(t, settings, new(servertest.Clock))
	current := func(use string) string { return string(s.Keyring.Current(use)) }
	for _, tc := range []struct {
		name, args string
		code       int
		out, err   string
	}{
		{"no verb", "keys", cli.ExitUsage, "", "want one of list, rotate, retire, reseal"},
		{"an unknown verb", "keys steal", cli.ExitUsage, "", "want one of list, rotate, retire, reseal"},
		{"no use", "keys rotate", cli.ExitUsage, "", "--use must be one of data, hash"},
		{"an unknown use", "keys rotate --use all", cli.ExitUsage, "", "--use must be one of"},
		{"an unknown algorithm", "keys rotate --use oidc --alg HS256", cli.ExitFailed, "", "no such algorithm"},
		{"an algorithm of its own for a data key", "keys rotate --use data --alg RS256", cli.ExitFailed, "", "no such key"},
		{"a batch too large", "keys reseal --data --batch 1001", cli.ExitUsage, "", "1 to 1000"},
		{"list", "keys list", cli.ExitOK, "in use", ""},
		{"each algorithm", "keys rotate --use oidc", cli.ExitOK, "oidc ES256: key", ""},
		{"again", "keys rotate --use oidc", cli.ExitFailed, "", "already waiting"},
		{"again and now", "keys rotate --use oidc --now", cli.ExitOK, "oidc RS256: key", ""},
		{"a new algorithm", "keys rotate --use oidc --alg EdDSA", cli.ExitOK, "oidc EdDSA: key", ""},
		{"another algorithm for the dialects", "keys rotate --use dialect --alg ES256", cli.ExitUsage, "", "verify RS256 only"},
		{"a dialect key", "keys rotate --use dialect", cli.ExitOK, "dialect RS256: key", ""},
		{"a dialect key in an emergency", "keys retire --yes --emergency " + current("dialect"), cli.ExitOK, "in no key set of the dialects", ""},
		{"the key in use", "keys retire " + current("data"), cli.ExitFailed, "", "it is still in use: rotate first"},
		{"an unknown key", "keys retire 00000000-0000-0000-0000-000000000000", cli.ExitFailed, "", "there is no valid key"},
		{"a data key in an emergency", "keys retire --yes --emergency " + current("data"), cli.ExitFailed, "", "stored secrets depend on"},
		{"a session key in an emergency", "keys retire --yes --emergency " + current("session"), cli.ExitOK, "every user is signed out", ""},
		{"a data key", "keys rotate --use data", cli.ExitOK, "reseal --data", ""},
		{"nothing to reseal", "keys reseal", cli.ExitOK, "Keys: 0 resealed", ""},
	} {
		code, out, err := play(tc.args)
		if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(err, tc.err) || (tc.err == "") != (err == "") {
			t.Errorf("%s: exit code %d, %q, %q; want %d, %q, %q", tc.name, code, out, err, tc.code, tc.out, tc.err)
		}
	}
}

func TestKeyAgesAreMetrics(t *testing.T) {
	settings, _, _ := servertest.NewUnstarted(t)
	var c servertest.Clock
	s := servertest.New(t, settings, &c)
	c.Move(10 * 24 * time.Hour)
	w := httptest.NewRecorder()
	s.OpsHandler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{`sallyport_key_age_seconds{alg="",use="data"} 86400`, `sallyport_key_age_seconds{alg="RS256",use="oidc"} 86400`,
		`sallyport_key_age_seconds{alg="RS256",use="dialect"} 86400`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics have no %s", want)
		}
	}
	if n := strings.Count(w.Body.String(), "\nsallyport_key_age_seconds{"); n != 10 {
		t.Errorf("%d ages, want one of each of 7 uses, of 2 algorithms and of the dialects", n)
	}
}
