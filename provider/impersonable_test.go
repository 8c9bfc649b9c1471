package provider

import (
	"testing"
	"time"

	"sallyport/storage"
)

func redirectTo(uri string) func(*storage.Client) {
	return func(c *storage.Client) { c.RedirectURIs = []string{uri} }
}

func silent(c *storage.Client) { c.SilentLogin = true }

// RFC 8252 section 8.6: where any program can pass for the client, a session alone
// yields no code.
func TestImpersonableClientsNeedInteraction(t *testing.T) {
	native := func(c *storage.Client) { c.Native = true }
	same := func(*storage.Client) {}
	asks := func(c *storage.Client) { c.Consent = "ask" }
	for _, tc := range []struct {
		name     string
		redirect string
		sent     string // redirect_uri of the request; "": redirect
		change   []func(*storage.Client)
		confirms bool
	}{
		{"a public client with a claimed https address", callback, "", []func(*storage.Client){public, native}, false},
		{"one with a loopback address", "http://127.0.0.1/cb", "", []func(*storage.Client){public, native}, true},
		{"one with a loopback address and another port", "http://127.0.0.1/cb", "http://127.0.0.1:5100/cb", []func(*storage.Client){public, native}, true},
		{"one with a loopback address of IPv6", "http://[::1]/cb", "", []func(*storage.Client){public, native}, true},
		{"one with localhost", "http://localhost:8081/cb", "", []func(*storage.Client){public}, true},
		{"one with localhost over https", "https://localhost:8443/cb", "", []func(*storage.Client){public}, true},
		{"one with a private-use scheme", "com.example.app:/cb", "", []func(*storage.Client){public, native}, true},
		{"one that was allowed before", "com.example.app:/cb", "", []func(*storage.Client){public, native, asks}, true},
		{"one with silent_login", "com.example.app:/cb", "", []func(*storage.Client){public, native, silent}, false},
		{"a client with a secret", "http://127.0.0.1/cb", "", []func(*storage.Client){same}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("app", append(tc.change, redirectTo(tc.redirect))...)
			h.client("rp")
			ada := h.user("ada", "")
			if tc.sent == "" {
				tc.sent = tc.redirect
			}
			h.ok(h.engine.PutClient(h.ctx, h.client("app", append(tc.change, redirectTo(tc.redirect))...), nil))
			_, s := h.signIn(params("rp"), "ada")
			begin := func(changes ...string) Begun {
				return h.begin(params("app", append([]string{"redirect_uri", tc.sent}, changes...)...), s)
			}
			if want := map[bool]string{true: "interaction_required"}[tc.confirms]; want != "" {
				// Without a consent the missing consent is the error.
				if len(tc.change) > 2 && tc.name == "one that was allowed before" {
					if got := h.values(*begin("prompt", "none").Answer).Get("error"); got != "consent_required" {
						t.Errorf("prompt=none before consent = %q, want consent_required", got)
					}
					b := begin()
					h.ok(h.p.Allow(h.ctx, h.next(b.Request, s), h.visit, nil))
					h.finish(b.Request, s)
				}
				b := begin("prompt", "none")
				if b.Answer == nil || h.values(*b.Answer).Get("error") != want {
					t.Errorf("prompt=none = %+v, want %s", b, want)
				}
				b = begin()
				if b.Finished != nil || b.Step.Kind != StepConsent {
					t.Fatalf("with a session = %+v, want a confirmation", b)
				}
				if st := h.next(b.Request, s); st.Kind != StepConsent {
					t.Fatalf("next = %s, want consent", st.Kind)
				}
				h.ok(h.p.Allow(h.ctx, h.next(b.Request, s), h.visit, nil))
				if _, q := h.finish(b.Request, s); q.Get("code") == "" {
					t.Errorf("confirmed = %v, want a code", q)
				}
				if b = begin(); b.Finished != nil || b.Step.Kind != StepConsent {
					t.Errorf("the next time = %+v, want a second confirmation", b)
				}
				return
			}
			for _, prompt := range []string{"none", ""} {
				if b := begin("prompt", prompt); b.Finished == nil || b.Finished.User != ada.ID {
					t.Errorf("prompt=%q = %+v, want a code", prompt, b)
				}
			}
		})
	}
}

// A password entered in this login counts as interaction, even if a session existed before.
// A factor proven in another request does not.
func TestAFactorProvenInTheRequestIsInteraction(t *testing.T) {
	h := newFixture(t)
	h.client("app", public, redirectTo("com.example.app:/cb"))
	h.client("rp")
	h.user("ada", "")
	app := func(changes ...string) Begun {
		return h.begin(params("app", append([]string{"redirect_uri", "com.example.app:/cb"}, changes...)...), nil)
	}
	b := app()
	h.enter(b.Request, "ada", nil)
	if st := h.next(b.Request, nil); st.Kind != StepDone {
		t.Errorf("after the password = %s, want done", st.Kind)
	}

	_, s := h.signIn(params("rp"), "ada")
	h.wait(time.Minute)
	again := h.begin(params("app", "redirect_uri", "com.example.app:/cb", "prompt", "login"), s)
	if again.Step.Kind != StepIdentify {
		t.Fatalf("prompt=login = %s, want identify", again.Step.Kind)
	}
	h.enter(again.Request, "ada", s)
	if st := h.next(again.Request, s); st.Kind != StepDone {
		t.Errorf("after entering the password again = %s, want done", st.Kind)
	}

	// The session was created by a server whose clock is ahead.
	for i := range s.Session.Factors {
		s.Session.Factors[i].At = h.now().Add(time.Second)
	}
	ahead := h.begin(params("app", "redirect_uri", "com.example.app:/cb"), s)
	if ahead.Finished != nil || ahead.Step.Kind != StepConsent {
		t.Errorf("with a session of a clock ahead = %+v, want a confirmation", ahead.Step.Kind)
	}
}
