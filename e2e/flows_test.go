package e2e

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// flow is one flow through the hosted pages and endpoints.
type flow struct {
	name string
	play func(t *testing.T, s *stage)
}

func flows() []flow {
	return []flow{
		{"password alone", passwordAlone},
		{"password and TOTP", passwordAndTOTP},
		{"wrong password and unknown user look alike", wrongPasswordAndUnknownUserLookAlike},
		{"recovery code opens once", recoveryCodeOpensOnce},
		{"enrollment in the login", enrollmentInTheLogin},
		{"step up asks for the second factor only", stepUpAsksForTheSecondFactorOnly},
		{"prompt none", promptNone},
		{"password alone opens nothing at a bank", passwordAloneOpensNothingAtABank},
		{"refresh reuse kills the family", refreshReuseKillsTheFamily},
		{"racing refreshes of a public client get one successor", racingRefreshesOfAPublicClientGetOneSuccessor},
		{"code reuse kills its tokens", codeReuseKillsItsTokens},
		{"userinfo revocation and logout", userinfoRevocationAndLogout},
		{"consent", consent},
		{"client credentials", clientCredentials},
	}
}

// TestFlows runs every flow on both databases, each on one server.
func TestFlows(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, engine)
			for _, f := range flows() {
				t.Run(f.name, func(t *testing.T) { f.play(t, s) })
			}
		})
	}
}

func passwordAlone(t *testing.T, s *stage) {
	u := s.user(t, false)
	a := newParty(t, s, "spa", spaRedirect, "")
	p := newPerson(t, s.issuer).open(a.start()).at("/login").signIn(u)
	_, id, c := a.tokens(p)
	if id.Subject == "" || c.Nonce != a.nonce || c.ACR != "aal1" || !slices.Equal(c.AMR, []string{"pwd"}) || c.SID == "" {
		t.Errorf("sub %q, claims %+v", id.Subject, c)
	}
}

func passwordAndTOTP(t *testing.T, s *stage) {
	u := s.user(t, true)
	a := newParty(t, s, "bank", bankRedirect, "")
	p := newPerson(t, s.issuer).open(a.start()).at("/login").signIn(u).at("/mfa")
	p.submit("mfa-submit", "passcode", "000000").at("/mfa")
	p.submit("mfa-submit", "passcode", p.totp(u.totp))
	_, _, c := a.tokens(p)
	if c.ACR != "aal2" || !slices.Equal(c.AMR, []string{"mfa", "otp", "pwd"}) {
		t.Errorf("claims %+v, want aal2 by mfa, otp, pwd", c)
	}
}

func wrongPasswordAndUnknownUserLookAlike(t *testing.T, s *stage) {
	u := s.user(t, false)
	texts := make([]string, 2)
	for i, name := range []string{u.name, "nobody-of-that-name"} {
		a := newParty(t, s, "spa", spaRedirect, "")
		p := newPerson(t, s.issuer).open(a.start()).at("/login")
		p.submit("login-submit", "username", name, "password", "not the password").at("/login")
		texts[i] = p.has("error")
		if p.code != http.StatusUnprocessableEntity {
			t.Errorf("%s: code %d", name, p.code)
		}
	}
	if texts[0] == "" || texts[0] != texts[1] {
		t.Errorf("known user: %q, unknown user: %q", texts[0], texts[1])
	}
}

func recoveryCodeOpensOnce(t *testing.T, s *stage) {
	u := s.user(t, true)
	code := recoveryCodes(u)[0]
	for try, want := range []bool{true, false} {
		a := newParty(t, s, "bank", bankRedirect, "")
		p := newPerson(t, s.issuer).open(a.start()).signIn(u).at("/mfa")
		p.open(s.issuer + link(t, p, "method-recovery")).at("/mfa")
		p.submit("mfa-submit", "passcode", strings.ToUpper(code))
		if got := p.arrived != nil; got != want {
			t.Fatalf("try %d of one code: in = %v, want %v\n%s", try+1, got, want, p.text)
		}
	}
}

func enrollmentInTheLogin(t *testing.T, s *stage) {
	u := s.user(t, false)
	a := newParty(t, s, "bank", bankRedirect, "")
	p := newPerson(t, s.issuer).open(a.start()).signIn(u).at("/enroll")
	p.submit("enroll-begin")
	secret := p.has("enroll-secret")
	if secret == "" {
		t.Fatalf("no secret:\n%s", p.text)
	}
	p.submit("enroll-submit", "passcode", "000000")
	if p.has("error") == "" || strings.ReplaceAll(p.has("enroll-secret"), " ", "") != strings.ReplaceAll(secret, " ", "") {
		t.Fatalf("after a wrong code the same secret must be on the page:\n%s", p.text)
	}
	step := time.Now().Unix() / 30
	code := totpAt(t, secret, step)
	p.submit("enroll-submit", "passcode", code).at("/recovery-codes")
	if p.has("recovery-codes") == "" {
		t.Fatalf("no recovery codes:\n%s", p.text)
	}
	p.submit("recovery-done")
	_, _, c := a.tokens(p)
	if c.ACR != "aal2" {
		t.Errorf("acr = %q, want aal2", c.ACR)
	}
	// The code that confirmed the enrolment does not work again.
	b := newParty(t, s, "bank", bankRedirect, "")
	q := newPerson(t, s.issuer).open(b.start()).signIn(u).at("/mfa")
	q.submit("mfa-submit", "passcode", code).at("/mfa")
	q.submit("mfa-submit", "passcode", totpAt(t, secret, step+1))
	b.tokens(q)
}

func stepUpAsksForTheSecondFactorOnly(t *testing.T, s *stage) {
	u := s.user(t, true)
	a := newParty(t, s, "spa", spaRedirect, "")
	p := newPerson(t, s.issuer).open(a.start()).signIn(u)
	_, _, first := a.tokens(p)
	again := newParty(t, s, "spa", spaRedirect, "")
	_, _, second := again.tokens(p.open(again.start()))
	if second.SID != first.SID || second.AuthTime != first.AuthTime {
		t.Errorf("signed in once: %+v, then %+v", first, second)
	}
	up := newParty(t, s, "spa", spaRedirect, "")
	p.open(up.start(oauth2.SetAuthURLParam("acr_values", "aal2"))).at("/mfa")
	p.submit("mfa-submit", "passcode", p.totp(u.totp))
	_, _, third := up.tokens(p)
	if third.ACR != "aal2" || third.SID != first.SID {
		t.Errorf("stepped up: %+v, want aal2 in session %s", third, first.SID)
	}
}

func promptNone(t *testing.T, s *stage) {
	u := s.user(t, true)
	none := oauth2.SetAuthURLParam("prompt", "none")
	a := newParty(t, s, "spa", spaRedirect, "")
	p := newPerson(t, s.issuer)
	if got := p.open(a.start(none)).sent().Get("error"); got != "login_required" {
		t.Errorf("no user signed in: %q", got)
	}
	p.open(a.start()).signIn(u)
	a.tokens(p)
	b := newParty(t, s, "bank", bankRedirect, "")
	if got := p.open(b.start(none)).sent().Get("error"); got != "interaction_required" {
		t.Errorf("a factor is missing: %q", got)
	}
	c := newParty(t, s, "spa", spaRedirect, "")
	c.tokens(p.open(c.start(none)))
}

func passwordAloneOpensNothingAtABank(t *testing.T, s *stage) {
	u := s.user(t, true)
	a := newParty(t, s, "bank", bankRedirect, "")
	p := newPerson(t, s.issuer).open(a.start()).signIn(u).at("/mfa")
	request := p.url.Query().Get("requestId")
	p.open(s.issuer + "/continue?requestId=" + request).at("/mfa")
	b := newParty(t, s, "spa", spaRedirect, "")
	if got := p.open(b.start(oauth2.SetAuthURLParam("prompt", "none"))).sent().Get("error"); got != "login_required" {
		t.Errorf("prompt=none after the password alone: %q, want login_required", got)
	}
}

func refreshReuseKillsTheFamily(t *testing.T, s *stage) {
	u := s.user(t, false)
	a := newParty(t, s, "web", webRedirect, s.secret, "openid", "offline_access")
	p := newPerson(t, s.issuer).open(a.start()).signIn(u)
	token, _, before := a.tokens(p)
	next, err := a.refresh(token.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, after := a.verify(next); after.SID != before.SID || after.AuthTime != before.AuthTime || !slices.Equal(after.AMR, before.AMR) {
		t.Errorf("refreshed claims %+v, want %+v", after, before)
	}
	if _, err := a.refresh(token.RefreshToken); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("a used refresh token: %v, want invalid_grant", err)
	}
	if _, err := a.refresh(next.RefreshToken); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("its successor after the reuse: %v, want invalid_grant", err)
	}
	if a.active(next.AccessToken) {
		t.Error("the access token outlived its family")
	}
}

func racingRefreshesOfAPublicClientGetOneSuccessor(t *testing.T, s *stage) {
	u := s.user(t, false)
	a := newParty(t, s, "spa", spaRedirect, "", "openid", "offline_access")
	p := newPerson(t, s.issuer).open(a.start()).signIn(u)
	token, _, _ := a.tokens(p)
	got := make([]string, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			next, err := a.refresh(token.RefreshToken)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = next.RefreshToken
		})
	}
	wg.Wait()
	if slices.Sort(got); len(slices.Compact(got)) != 1 {
		t.Errorf("concurrent callers got different successors: %d", len(slices.Compact(got)))
	}
}

func codeReuseKillsItsTokens(t *testing.T, s *stage) {
	u := s.user(t, false)
	a := newParty(t, s, "web", webRedirect, s.secret)
	p := newPerson(t, s.issuer).open(a.start()).signIn(u)
	token, _, _ := a.tokens(p)
	if !a.active(token.AccessToken) {
		t.Fatal("a fresh access token is not active")
	}
	if _, err := a.oauth.Exchange(context.Background(), p.sent().Get("code"), oauth2.VerifierOption(a.verifier)); err == nil {
		t.Fatal("a code was redeemed twice")
	}
	if a.active(token.AccessToken) {
		t.Error("the access token outlived the reuse of its code")
	}
}

func userinfoRevocationAndLogout(t *testing.T, s *stage) {
	u := s.user(t, false)
	a := newParty(t, s, "fast", webRedirect+"/fast", s.secret)
	p := newPerson(t, s.issuer).open(a.start()).signIn(u)
	token, id, _ := a.tokens(p)
	info, err := a.provider.UserInfo(context.Background(), oauth2.StaticTokenSource(token))
	if err != nil || info.Subject != id.Subject || info.Email != u.email || !info.EmailVerified {
		t.Fatalf("userinfo %+v, %v", info, err)
	}
	raw, _ := token.Extra("id_token").(string)
	bye := webRedirect + "/fast/bye"
	p.open(s.issuer + "/logout?" + url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {bye}, "state": {"see you"}}.Encode())
	if p.arrived == nil || p.arrived.String() != bye+"?state=see+you" && p.arrived.String() != bye+"?state=see%20you" {
		t.Fatalf("after logout at %v (%d)", p.arrived, p.code)
	}
	b := newParty(t, s, "spa", spaRedirect, "")
	if got := p.open(b.start(oauth2.SetAuthURLParam("prompt", "none"))).sent().Get("error"); got != "login_required" {
		t.Errorf("after logout prompt=none = %q", got)
	}
	if a.active(token.AccessToken) {
		t.Error("the access token outlived the logout")
	}
}

func consent(t *testing.T, s *stage) {
	u := s.user(t, false)
	a := newParty(t, s, "asks", webRedirect+"/asks", s.secret)
	p := newPerson(t, s.issuer).open(a.start()).signIn(u).at("/consent")
	if got := p.submit("consent-deny").sent(); got.Get("error") != "access_denied" || got.Get("state") != a.state {
		t.Fatalf("denied: %v", got)
	}
	p.open(a.start()).signIn(u).at("/consent").submit("consent-allow")
	a.tokens(p)
	b := newParty(t, s, "asks", webRedirect+"/asks", s.secret)
	b.tokens(p.open(b.start(oauth2.SetAuthURLParam("prompt", "none"))))
}

func clientCredentials(t *testing.T, s *stage) {
	r, err := http.NewRequest(http.MethodPost, s.issuer+"/token", strings.NewReader("grant_type=client_credentials&scope=reports"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("m2m", s.secret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, response); got["access_token"] == nil || got["scope"] != "reports" || got["refresh_token"] != nil {
		t.Errorf("response %v", got)
	}
}

func link(t *testing.T, p *person, id string) string {
	t.Helper()
	to := p.browser.Link(id)
	if to == "" {
		t.Fatalf("%s has no link %q:\n%s", p.url.Path, id, p.text)
	}
	return to
}
