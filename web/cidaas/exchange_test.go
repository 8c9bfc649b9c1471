package cidaas

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"sallyport/storage"
)

// A caller with an exchange must be one that may continue its login (B-4): the browser it
// is bound to, or a client that needs none; never a page of another application.
func TestWhoMayUseAnExchange(t *testing.T) {
	const evil = "https://evil.example"
	own := func(h *fixture, b *caller) *caller { return b }
	program := func(h *fixture, _ *caller) *caller { return h.program() }
	from := func(origin string, of func(*fixture, *caller) *caller) func(*fixture, *caller) *caller {
		return func(h *fixture, b *caller) *caller {
			c := *of(h, b)
			c.header = http.Header{"Origin": {origin}}
			return &c
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*storage.Client)
		later  func(*storage.Client)
		who    func(*fixture, *caller) *caller
		want   int
	}{
		{"the browser the login is bound to", bound, nil, own, http.StatusOK},
		{"that browser, on a page of the server's own", bound, nil, from(issuer, own), http.StatusOK},
		{"that browser, on a page of the client's", bound, nil, from(app, own), http.StatusOK},
		{"that browser, on another application's page", bound, nil, from(evil, own), expectationFailed},
		{"that browser, on a page that hides who it is", bound, nil, from("null", own), expectationFailed},
		{"a program, at a client bound to browsers", bound, nil, program, expectationFailed},
		{"a page of such a client's without the cookie", bound, nil, from(app, program), expectationFailed},
		{"a program, at a client that may do without", nil, nil, program, http.StatusOK},
		{"a page of such a client's", nil, nil, from(app, program), http.StatusOK},
		{"another application's page, at such a client", nil, nil, from(evil, program), expectationFailed},
		{"a program, after the client was disabled", nil, func(c *storage.Client) { c.Disabled = true }, program, expectationFailed},
	} {
		for operation, play := range exchangeOperations() {
			t.Run(operation+" by "+tc.name, func(t *testing.T) {
				h := newFixture(t)
				if tc.change == nil {
					tc.change = func(*storage.Client) {}
				}
				h.client(always, tc.change)
				h.User("ada", totpKey)
				h.User("bob", "")
				b := h.browser()
				call := play(h, b)
				if tc.later != nil {
					h.client(always, tc.change, tc.later)
				}
				w := h.is(call(tc.who(h, b)), tc.want)
				if w.Code != http.StatusOK && h.at(w, "error.error") != "invalid exchange_id" {
					t.Errorf("response %s, want an invalid exchange", w.Body)
				}
			})
		}
	}
}

// exchangeOperations begin an operation in a browser and return the call that continues it.
func exchangeOperations() map[string]func(*fixture, *caller) func(*caller) *httptest.ResponseRecorder {
	entered := func(h *fixture, b *caller, name string) string {
		id, _ := b.begin()
		h.is(b.form("/login-srv/login", "requestId", id, "username", name, "password", password), http.StatusSeeOther)
		return id
	}
	initiated := func(h *fixture, b *caller) string {
		w := b.json("/verification-srv/v2/authenticate/initiate/totp", "request_id", entered(h, b, "ada"), "usage_type", "MULTIFACTOR_AUTHENTICATION")
		return h.at(h.is(w, http.StatusOK), "data.exchange_id.exchange_id")
	}
	return map[string]func(*fixture, *caller) func(*caller) *httptest.ResponseRecorder{
		"a code": func(h *fixture, b *caller) func(*caller) *httptest.ResponseRecorder {
			exchange := initiated(h, b)
			return func(c *caller) *httptest.ResponseRecorder {
				return c.json("/verification-srv/v2/authenticate/authenticate/totp", "exchange_id", exchange, "pass_code", h.Code(totpKey))
			}
		},
		"a cancellation": func(h *fixture, b *caller) func(*caller) *httptest.ResponseRecorder {
			exchange := initiated(h, b)
			return func(c *caller) *httptest.ResponseRecorder {
				return c.json("/verification-srv/v2/authenticate/cancel/totp", "exchange_id", exchange, "reason", "no wish to")
			}
		},
		"an enrolment": func(h *fixture, b *caller) func(*caller) *httptest.ResponseRecorder {
			track, err := h.track(entered(h, b, "bob"), b)
			h.OK(err)
			initiation := h.is(b.json("/verification-actions-srv/setup/totp/initiation/"+track), http.StatusOK)
			return func(c *caller) *httptest.ResponseRecorder {
				return c.json("/verification-actions-srv/setup/totp/verification", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"),
					"pass_code", h.Code(h.at(initiation, "data.totp_secret")))
			}
		},
	}
}
