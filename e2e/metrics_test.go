package e2e

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"sallyport/e2e/collector"
)

// TestMetricsAndTracesOfLogins runs logins that succeed and fail and checks what operators
// see: consistent metrics, and traces without personal data.
func TestMetricsAndTracesOfLogins(t *testing.T) {
	t.Parallel()
	to := collector.New(t)
	s := setStage(t, "sqlite")
	s.env = []string{"SALLYPORT_TRACING_ENDPOINT=" + to.URL}
	s.serve(t)

	u, other := s.user(t, true), s.user(t, false)
	a := newParty(t, s, "bank", bankRedirect, "", "openid", "offline_access")
	p := newPerson(t, s.issuer).open(a.start()).at("/login").signIn(u).at("/mfa")
	p.submit("mfa-submit", "passcode", "000000").at("/mfa")
	passcode := p.totp(u.totp)
	p.submit("mfa-submit", "passcode", passcode)
	code := p.sent().Get("code")
	token, _, _ := a.tokens(p)
	if _, err := a.oauth.Exchange(context.Background(), code, oauth2.VerifierOption(a.verifier)); err == nil {
		t.Fatal("a code worked twice")
	}
	again := newParty(t, s, "bank", bankRedirect, "")
	again.tokens(p.open(again.start()))
	q := newPerson(t, s.issuer).open(newParty(t, s, "spa", spaRedirect, "").start()).at("/login")
	q.submit("login-submit", "username", other.name, "password", "not the password").at("/login")
	q.submit("cancel")

	s.counts(t, map[string]float64{
		`sallyport_logins_started_total`: 2, `sallyport_logins_total{outcome="finished"}`: 1, `sallyport_logins_total{outcome="session"}`: 1,
		`sallyport_logins_total{outcome="cancelled"}`: 1, `sallyport_logins_total{outcome="refused"}`: 0,
		`sallyport_factors_total{method="password",outcome="ok"}`: 1, `sallyport_factors_total{method="password",outcome="wrong"}`: 1,
		`sallyport_factors_total{method="totp",outcome="ok"}`: 1, `sallyport_factors_total{method="totp",outcome="wrong"}`: 1,
		`sallyport_tokens_issued_total{grant_type="authorization_code"}`: 2, `sallyport_token_replays_total{of="code"}`: 1,
		`sallyport_http_requests_running`: 0, `sallyport_http_failed_total`: 0, `sallyport_ready`: 1,
	})
	s.stop(t)
	secrets := []string{u.name, u.email, u.password, u.totp, passcode, code, token.AccessToken, token.RefreshToken, a.state, a.nonce, a.verifier,
		other.name, "not the password", "bank", "127.0.0.1", "Go-http-client"}
	spansOfALogin(t, to.Spans(), secrets)
}

// spansOfALogin checks that the spans contain the operations and nothing else.
func spansOfALogin(t *testing.T, spans []collector.Span, secrets []string) {
	t.Helper()
	byID := map[string]collector.Span{}
	for _, x := range spans {
		byID[x.ID] = x
	}
	names := map[string]int{}
	for _, x := range spans {
		for _, secret := range secrets {
			if strings.Contains(x.Text, secret) {
				t.Errorf("%q is in a span: %s", secret, x.Text)
			}
		}
		root := x
		for root.Parent != "" && byID[root.Parent].ID != "" {
			root = byID[root.Parent]
		}
		if root.Parent != "" || root.Trace != x.Trace || root.Attributes["http.route"] == "" || len(root.Attributes["sallyport.correlation_id"]) != 19 {
			t.Errorf("%s has the parent %+v", x.Name, root)
		}
		if x.Failed || x.More > 0 {
			// A replayed code is an error of the OAuth library.
			if x.Name != "Fosite.NewAccessRequest" {
				t.Errorf("%s failed or has more attributes than allowed: %s", x.Name, x.Text)
			}
		}
		if x.ID == root.ID {
			names[x.Name]++
			continue
		}
		names[root.Name+" > "+x.Name]++
	}
	for name, least := range map[string]int{"POST /login": 2, "POST /login > hash password": 2, "POST /login > count attempt": 1, "POST /mfa": 2,
		"POST /mfa > spend": 1, "POST /token": 3, "POST /token > Fosite.NewAccessRequest": 3, "POST /token > redeem code": 2, "GET /authorize": 3} {
		if names[name] < least {
			t.Errorf("%d spans %q, want %d at least; there are %v", names[name], name, least, names)
		}
	}
}

// counts waits for the metrics to have these values. Some lag by a second.
func (s *stage) counts(t *testing.T, want map[string]float64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var off []string
		got := s.metrics(t)
		for name, n := range want {
			if value, ok := got[name]; !ok || value != n {
				off = append(off, name+" = "+strconv.FormatFloat(value, 'g', -1, 64)+", want "+strconv.FormatFloat(n, 'g', -1, 64))
			}
		}
		if len(off) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			slices.Sort(off)
			t.Errorf("metrics:\n%s", strings.Join(off, "\n"))
			return
		case <-tick.C:
		}
	}
}

// metrics returns the series of /metrics.
func (s *stage) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	r, err := http.Get(s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	out := map[string]float64{}
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		name, text, ok := strings.Cut(lines.Text(), "} ")
		if ok {
			name += "}"
		} else if name, text, ok = strings.Cut(lines.Text(), " "); !ok {
			continue
		}
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			out[name] = n
		}
	}
	return out
}
