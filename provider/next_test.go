package provider

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/storage"
)

const totpSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// The steps of a login, in the order a user sees them. Each case lists the actions and the
// step after each.
func TestNext(t *testing.T) {
	h := newFixture(t)
	h.client("off")
	h.client("always", func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
	h.user("ada", totpSecret)
	h.user("bob", "")
	type action struct {
		do   string // "", "password", "totp", "allow", "restart"
		want StepKind
	}
	for _, tc := range []struct {
		name    string
		client  storage.ClientID
		user    string
		change  []string
		actions []action
	}{
		{"password is enough", "off", "bob", nil, []action{{"", StepIdentify}, {"password", StepDone}}},
		{"password is enough though another factor exists", "off", "ada", nil, []action{{"", StepIdentify}, {"password", StepDone}}},
		{"two factors", "always", "ada", nil, []action{{"", StepIdentify}, {"password", StepVerify}, {"totp", StepDone}}},
		{"a second factor must be enrolled", "always", "bob", nil, []action{{"", StepIdentify}, {"password", StepEnroll}}},
		{"acr asks for a second factor", "off", "ada", []string{"acr_values", "urn:example:gold"},
			[]action{{"", StepIdentify}, {"password", StepVerify}, {"totp", StepDone}}},
		{"acr that cannot be reached", "off", "bob", []string{"acr_values", "aal2"}, []action{{"", StepIdentify}, {"password", StepDone}}},
		{"essential acr that cannot be reached", "off", "bob", []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"aal2"}}}`},
			[]action{{"", StepIdentify}, {"password", StepRefused}}},
		{"consent", "asks", "bob", nil, []action{{"", StepIdentify}, {"password", StepConsent}, {"allow", StepDone}}},
		{"consent of a first party by prompt", "off", "bob", []string{"prompt", "consent"}, []action{{"", StepIdentify}, {"password", StepConsent}, {"allow", StepDone}}},
		{"not you", "always", "ada", nil, []action{{"", StepIdentify}, {"password", StepVerify}, {"restart", StepIdentify}, {"password", StepVerify}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.wait(time.Minute) // a step of the authenticator app counts once
			h.t = t
			id := h.begin(params(tc.client, tc.change...), nil).Request
			for _, d := range tc.actions {
				switch st := h.next(id, nil); d.do {
				case "password":
					h.enter(id, tc.user, nil)
				case "totp":
					h.prove(id, nil)
				case "allow":
					h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
				case "restart":
					h.ok(h.p.Restart(h.ctx, st, h.visit))
				}
				if got := h.next(id, nil); got.Kind != d.want {
					t.Fatalf("after %q: step = %s %s, want %s", d.do, got.Kind, got.Refusal, d.want)
				}
			}
		})
	}
}

// "Back to the application" leads to where the client begins a login (OpenID Connect Core section 4).
func TestPagesLeadToWhereTheClientBeginsALogin(t *testing.T) {
	h := newFixture(t)
	h.client("begins", func(c *storage.Client) { c.InitiateLoginURI = "https://rp.example/login?from=idp&iss=other" })
	want := "https://rp.example/login?" + url.Values{"from": {"idp"}, "iss": {issuer}}.Encode()
	if _, home := h.p.Home(h.ctx, "begins"); home != want {
		t.Errorf("outside of a login %q, want %q", home, want)
	}
	id := h.begin(params("begins"), nil).Request
	if home := h.next(id, nil).ClientHome; home != want {
		t.Errorf("in a login %q, want %q", home, want)
	}
}

func TestNextReturnsWhatPagesShow(t *testing.T) {
	h := newFixture(t)
	h.client("always", func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.user("ada", totpSecret)
	id := h.begin(params("always", "login_hint", "ada@example.org", "ui_locales", "de en"), nil).Request
	id = h.next(id, nil).Request.ID // which is stored now
	before := h.engine.Stats()
	st := h.next(id, nil)
	if after := h.engine.Stats(); after.Statements-before.Statements != 1 || after.Commits != before.Commits {
		t.Errorf("Next made %d statements, want one read", after.Statements-before.Statements)
	}
	if st.LoginHint != "ada@example.org" || strings.Join(st.UILocales, " ") != "de en" || st.Client.Name != "Relying party" ||
		st.ClientHome != "https://rp.example" || st.Account != nil || len(st.Options) != 0 {
		t.Errorf("step = %+v", st)
	}
	h.enter(id, "ada", nil)
	st = h.next(id, nil)
	if len(st.Options) != 1 || st.Options[0].Method != "totp" || st.Account == nil || st.Login.Account == nil || st.LoginHint != "ada@example.org" {
		t.Errorf("options = %+v", st.Options)
	}
}

// B-2: the same response for all, and for an unknown request.
func TestARequestBelongsToItsBrowser(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("headless", func(c *storage.Client) {
		c.HeadlessLogin, c.AllowedOrigins = true, []string{"https://app.example"}
	})
	h.client("gone")
	bound := h.begin(params("rp"), nil).Request
	headless := h.begin(params("headless"), nil).Request
	orphan := h.begin(params("gone"), nil).Request
	h.ok(h.engine.DeleteClient(h.ctx, "gone", nil))
	h.ok(h.p.Poll(h.ctx))
	unbound, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, mfa.Caller{}, nil)
	h.ok(err)
	other := mfa.Caller{Browser: strings.Repeat("c", 43)}
	for _, tc := range []struct {
		name  string
		id    storage.RequestID
		visit mfa.Caller
		want  string
	}{
		{"its own browser", bound, h.visit, ""},
		{"another browser", bound, other, "unknown_request"},
		{"no browser", bound, mfa.Caller{}, "unknown_request"},
		{"an unknown request", "00000000-0000-0000-0000-000000000000", h.visit, "unknown_request"},
		{"no request", "", h.visit, "unknown_request"},
		{"not an ID at all", "x' OR 1=1", h.visit, "unknown_request"},
		{"an unbound request", unbound.Request, other, "unknown_request"},
		{"the client is gone", orphan, h.visit, "unknown_request"},
		{"headless without a browser", headless, mfa.Caller{}, ""},
		{"headless from the client's page", headless, mfa.Caller{Origin: "https://app.example"}, ""},
		{"headless from the origin of the redirect address", headless, mfa.Caller{Origin: "https://rp.example"}, ""},
		{"headless from a foreign page", headless, mfa.Caller{Origin: "https://evil.example"}, "not_allowed"},
		{"headless with another browser's cookie", headless, other, "unknown_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := h.p.Next(h.ctx, Ask{Request: tc.id, Visit: tc.visit})
			if got := codeOf(err); got != tc.want {
				t.Errorf("Next = %q, want %q", got, tc.want)
			}
		})
	}
	h.wait(30 * time.Minute)
	if _, err := h.p.Next(h.ctx, Ask{Request: bound, Visit: h.visit}); codeOf(err) != "unknown_request" {
		t.Errorf("expired = %q, want unknown_request", codeOf(err))
	}
}

func TestAFinishedRequestIsOver(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	id := h.begin(params("rp"), nil).Request
	h.enter(id, "ada", nil)
	stale := h.next(id, nil)
	f, _ := h.finish(id, nil)
	if f.User != stale.Request.Subject || f.SessionToken == "" {
		t.Errorf("finished = %+v", f)
	}
	if st := h.next(id, nil); st.Kind != StepOver {
		t.Errorf("step = %s, want over", st.Kind)
	}
	if _, err := h.p.Finish(h.ctx, stale, h.visit, nil); codeOf(err) != "request_changed" {
		t.Errorf("second finish = %q, want request_changed", codeOf(err))
	}
	if _, err := h.p.Cancel(h.ctx, stale, h.visit); codeOf(err) != "request_changed" {
		t.Errorf("cancel = %q, want request_changed", codeOf(err))
	}
	if _, err := h.p.Cancel(h.ctx, h.next(id, nil), h.visit); codeOf(err) != "request_over" {
		t.Errorf("cancel = %q, want request_over", codeOf(err))
	}
}

func TestOfTwentyFinishesOneGetsTheCode(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	id := h.begin(params("rp"), nil).Request
	h.enter(id, "ada", nil)
	st := h.next(id, nil)
	errs := make([]error, 20)
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() { _, errs[i] = h.p.Finish(h.ctx, st, h.visit, nil) })
	}
	done.Wait()
	good := 0
	for _, err := range errs {
		switch codeOf(err) {
		case "":
			good++
		case "request_changed":
		default:
			t.Errorf("Finish = %v", err)
		}
	}
	if good != 1 {
		t.Errorf("%d finishes succeeded, want 1", good)
	}
}

func TestOnlyADoneStepIsFinished(t *testing.T) {
	h := newFixture(t)
	h.client("always", func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.user("ada", totpSecret)
	id := h.begin(params("always"), nil).Request
	if _, err := h.p.Finish(h.ctx, h.next(id, nil), h.visit, nil); codeOf(err) != "invalid_request" {
		t.Errorf("finish of identify = %q, want invalid_request", codeOf(err))
	}
	h.enter(id, "ada", nil)
	if _, err := h.p.Finish(h.ctx, h.next(id, nil), h.visit, nil); codeOf(err) != "invalid_request" {
		t.Errorf("finish of verify = %q, want invalid_request", codeOf(err))
	}
	if err := h.p.Allow(h.ctx, h.next(id, nil), h.visit, nil); codeOf(err) != "invalid_request" {
		t.Errorf("consent in verify = %q, want invalid_request", codeOf(err))
	}
	// M-7: the password does not help a new request in that browser either.
	if got := h.next(h.begin(params("always"), nil).Request, nil); got.Kind != StepIdentify {
		t.Errorf("another request = %s, want identify", got.Kind)
	}
}

func TestCancelAndRefusalsReachTheClient(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("bob", "")
	a, err := h.p.Cancel(h.ctx, h.next(h.begin(params("rp"), nil).Request, nil), h.visit)
	h.ok(err)
	if q := h.values(a); q.Get("error") != "access_denied" || q.Get("state") != "the-state" || q.Get("iss") != issuer {
		t.Errorf("cancel = %v, want access_denied with state and iss", q)
	}
	id := h.begin(params("rp", "claims", `{"id_token":{"acr":{"essential":true,"value":"aal2"}}}`), nil).Request
	h.enter(id, "bob", nil)
	f, err := h.p.Finish(h.ctx, h.next(id, nil), h.visit, nil)
	h.ok(err)
	if q := h.values(f.Answer); q.Get("error") != "unmet_authentication_requirements" || f.Session != nil {
		t.Errorf("refusal = %v, session %v", q, f.Session)
	}
	if h.events(mfa.EventLoginCancelled) != 1 || h.events(mfa.EventLoginRefused) != 1 {
		t.Error("the events are missing")
	}
}

func TestAnotherSubjectIsRefused(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	ada := h.user("ada", "")
	h.user("bob", "")
	id := h.begin(params("rp", "claims", `{"id_token":{"sub":{"value":"`+string(ada.ID)+`"}}}`), nil).Request
	h.enter(id, "bob", nil)
	if st := h.next(id, nil); st.Kind != StepRefused || st.Refusal != "login_required" {
		t.Errorf("step = %s %s, want refused login_required", st.Kind, st.Refusal)
	}
}

// Logging out in another tab must not leave a request that can still be finished.
func TestARequestForgetsAnEndedSession(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	h.wait(time.Second)
	id := h.begin(params("asks"), s).Request
	if st := h.next(id, s); st.Kind != StepConsent {
		t.Fatalf("step = %s, want consent", st.Kind)
	}
	h.ok(h.sessions.End(h.ctx, s, h.visit, ""))
	if st := h.next(id, nil); st.Kind != StepIdentify {
		t.Errorf("step = %s, want identify", st.Kind)
	}
	h.enter(id, "ada", nil)
	if st := h.next(id, nil); st.Kind != StepConsent {
		t.Errorf("step = %s, want consent again", st.Kind)
	}
}

func TestASessionThatEndsAtBeginIsNotUsed(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	h.ok(h.sessions.End(h.ctx, s, h.visit, ""))
	b := h.begin(params("rp"), s) // read just before it ended
	if b.Finished == nil {
		return
	}
	code := h.values(b.Finished.Answer).Get("code")
	if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.get("error") != "invalid_grant" {
		t.Errorf("token = %d %s, want invalid_grant", got.Status, got.Raw)
	}
}

func TestConsentIsRememberedByScope(t *testing.T) {
	h := newFixture(t)
	h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
	h.user("ada", "")
	allow := func(s *session.SignedIn, changes ...string) (*session.SignedIn, []string) {
		id := h.begin(params("asks", changes...), s).Request
		if s == nil {
			h.enter(id, "ada", nil)
		}
		st := h.next(id, s)
		if st.Kind != StepConsent {
			t.Fatalf("step = %s, want consent", st.Kind)
		}
		h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
		f, _ := h.finish(id, s)
		if f.SessionToken != "" {
			loaded, err := h.sessions.Load(h.ctx, f.SessionToken)
			h.ok(err)
			s = loaded
		}
		return s, st.Scopes
	}
	s, scopes := allow(nil, "scope", "")
	if b := h.begin(params("asks", "scope", "", "prompt", "none"), s); len(scopes) > 0 || b.Finished == nil {
		t.Errorf("scopes = %v; the user is asked again", scopes)
	}
	s, scopes = allow(s, "scope", "openid email")
	if strings.Join(scopes, " ") != "openid email" { // the first consent had no scopes
		t.Errorf("scopes = %v", scopes)
	}
	if b := h.begin(params("asks", "scope", "openid"), s); b.Finished == nil {
		t.Error("the user is asked again for fewer scopes")
	}
	if b := h.begin(params("asks", "scope", "openid profile", "prompt", "none"), s); b.Answer == nil || h.values(*b.Answer).Get("error") != "consent_required" {
		t.Error("more was granted without consent")
	}
	_, scopes = allow(s, "claims", `{"userinfo":{"phone_number":null}}`)
	if strings.Join(scopes, " ") != "phone" {
		t.Errorf("scopes = %v, want the one that includes the claim", scopes)
	}
	if b := h.begin(params("asks", "scope", "openid email phone", "prompt", "none"), s); b.Finished == nil {
		t.Error("the earlier consent is missing")
	}
	h.ok(h.engine.WithdrawConsent(h.ctx, s.Account.User.ID, "asks", h.now(), nil))
	if b := h.begin(params("asks", "scope", "openid", "prompt", "none"), s); b.Answer == nil {
		t.Error("a withdrawn consent still counts")
	}
}

func TestNewRecoveryCodesAreShownBeforeTheLoginFinishes(t *testing.T) {
	h := newFixture(t)
	h.client("always", func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.user("bob", "")
	id := h.begin(params("always"), nil).Request
	h.enter(id, "bob", nil)
	st := h.next(id, nil)
	e, err := h.verifier.Enroll(h.ctx, h.visit, h.verifier.InLogin(st.Login), exchange.NewFactor{Method: st.Verdict.Methods[0], Name: "phone"})
	h.ok(err)
	raw := base32Secret(t, e.Handout.Secret)
	_, err = h.verifier.Confirm(h.ctx, h.visit, h.verifier.InLogin(st.Login), e.Exchange, mfa.Typed(h.totp.CodeAt(raw, h.now())))
	h.ok(err)
	st = h.next(id, nil)
	if st.Kind != StepRecovery {
		t.Fatalf("step = %s, want recovery", st.Kind)
	}
	h.ok(h.p.Seen(h.ctx, st, h.visit))
	_, q := h.finish(id, nil)
	claims, _ := h.readJWT(h.post(h.p.Grants.Token, "always", redeem(q.Get("code"))).get("id_token"))
	if claims["acr"] != "aal2" {
		t.Errorf("acr = %v, want aal2", claims["acr"])
	}
}

func TestACRUsesTheNamesOfTheClient(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", totpSecret)
	_, s := h.signIn(params("rp"), "ada")
	for _, tc := range []struct{ name, param, value, want string }{
		{"no acr in the request", "display", "page", "aal1"},
		{"by alias", "acr_values", "urn:example:silver", "urn:example:silver"},
		{"several, the one reached is returned", "acr_values", "urn:x aal1 urn:example:silver", "aal1"},
		{"essential, by alias", "claims", `{"id_token":{"acr":{"essential":true,"values":["urn:example:silver"]}}}`, "urn:example:silver"},
		{"voluntary in claims", "claims", `{"id_token":{"acr":{"values":["urn:example:silver"]}}}`, "urn:example:silver"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := h.begin(params("rp", tc.param, tc.value), s)
			if b.Finished == nil {
				t.Fatal("not finished immediately")
			}
			claims, _ := h.readJWT(h.post(h.p.Grants.Token, "rp", redeem(h.values(b.Finished.Answer).Get("code"))).get("id_token"))
			if claims["acr"] != tc.want {
				t.Errorf("acr = %v, want %s", claims["acr"], tc.want)
			}
		})
	}
}
