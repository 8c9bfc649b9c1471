package main

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
)

// fail fails in one login twice, and returns the support numbers of the two pages.
func (o *fixture) fail() (password, code string) {
	o.Helper()
	o.withServer(func(h *server.Server) {
		site := httptest.NewServer(h.Handler)
		defer site.Close()
		v := newFormBrowser(o.T)
		v.at, _ = url.Parse(site.URL)
		v.got(v.http.Get(site.URL + "/authorize?" + url.Values{"client_id": {"bank"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"0123456789"},
			"redirect_uri": {"http://127.0.0.1:9/bank"}, "code_challenge": {strings.Repeat("x", 43)}, "code_challenge_method": {"S256"}}.Encode()))
		v.submit("login-form", "username", "alice", "password", "not the password")
		password = v.number
		v.submit("login-form", "username", "alice", "password", alicePass)
		v.submit("mfa-form", "passcode", "000000")
		code = v.number
		if err := h.Journal.Flush(o.Context()); err != nil {
			o.Fatal(err)
		}
	})
	return password, code
}

func TestALoginIsExplained(t *testing.T) {
	o := newFixture(t)
	o.secrets = append(o.secrets, alicePass)
	o.must("apply", o.file("state.yaml", aliceState))
	password, code := o.fail()
	for _, tc := range []struct{ number, marked, advice string }{
		{password, mfa.EventPasswordFailed, "name and password"},
		{strings.ToLower(code), mfa.EventMFAFailed, "clock of the phone"},
	} {
		var s story
		o.read(&s, "explain", "--json", tc.number)
		var kinds []string
		for i, x := range s.Steps {
			kinds = append(kinds, x.Kind)
			if x.Asked != strings.EqualFold(x.Support, tc.number) || x.Kind == tc.marked && !x.Asked || i > 0 && x.At.Before(s.Steps[i-1].At) || x.Text == "" {
				t.Errorf("explain %s: step %+v", tc.number, x)
			}
		}
		if want := []string{mfa.EventPasswordFailed, mfa.EventPasswordOK, mfa.EventMFAInitiated, mfa.EventMFAFailed}; !slices.Equal(kinds, want) {
			t.Errorf("steps = %q, want %q", kinds, want)
		}
		if s.Client != "bank" || s.Name != "alice" || s.User == "" || s.Login == "" || !strings.Contains(s.Advice, tc.advice) {
			t.Errorf("story = %+v", s)
		}
	}
	out := o.must("explain", password)
	for _, want := range []string{"bank", "alice", "> ", "The name or password was wrong. [invalid_credentials]", "The code was wrong (totp). [invalid_passcode]"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if out := o.must("events", "--json", "--support", code); strings.Count(out, "\n") != 2 || !strings.Contains(out, mfa.EventMFAFailed) {
		t.Errorf("events of a number: %s", out)
	}
	if out := o.must("explain", "AAAA-AAAA-AAAA-AAAA"); !strings.Contains(out, "nothing with this number") || !strings.Contains(out, "log") {
		t.Errorf("an unknown number: %s", out)
	}
	o.rejects([]refused{
		{"no number", "", cli.ExitUsage, "want 1", []string{"explain"}},
		{"a misheard number", "", cli.ExitFailed, "must be a support number", []string{"explain", "hello"}},
	})
}
