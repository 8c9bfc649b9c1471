package cidaas

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey/passkeytest"
)

// withPasskey is ada with a passkey, which her device enrolled with an access token.
func withPasskey(t *testing.T, android bool) (*fixture, *passkeytest.Device) {
	t.Helper()
	h := newFixtureWith(t, mfatest.Options{Options: exchange.Options{AddressMax: -1}, Passkeys: "login.example"})
	h.client()
	id := h.User("ada", "")
	d, ada := passkeytest.New("login.example", issuer), h.as(h.signedIn("ada"))
	begun := h.is(ada.json("/verification-srv/v2/setup/initiate/fido2", "verification_type", "fido2"), http.StatusOK)
	credential, err := d.Create(challengeOf(t, begun))
	h.OK(err)
	confirm, exchangeID := "/verification-srv/v2/setup/enroll/FIDO2", h.at(begun, "data.exchange_id.exchange_id")
	page := h.page()
	h.is(page.json(confirm, "exchange_id", exchangeID, "pass_code", "123456"), http.StatusBadRequest)
	h.is(page.json(confirm, "exchange_id", exchangeID, "attestation", `{"id":`), http.StatusBadRequest)
	if android {
		h.is(page.json(confirm, "exchange_id", exchangeID, "attestation", string(credential), "sub", string(id)), http.StatusOK)
	} else {
		h.is(page.signed(confirm, exchangeID, credential), http.StatusOK)
	}
	list := h.is(ada.do("GET", "/verification-srv/config/list", "application/json", ""), http.StatusOK)
	if got := list.Body.String(); !json.Valid([]byte(got)) || !slices.Contains(configuredIn(t, list), "FIDO2") {
		t.Errorf("configured: %s", got)
	}
	return h, d
}

func configuredIn(t *testing.T, w *httptest.ResponseRecorder) []string {
	t.Helper()
	var body struct {
		Data []struct {
			Type       string `json:"verification_type"`
			Configured bool   `json:"configured"`
		} `json:"data"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range body.Data {
		if x.Configured {
			out = append(out, x.Type)
		}
	}
	return out
}

// challengeOf returns the options that a response hands to the browser.
func challengeOf(t *testing.T, w *httptest.ResponseRecorder) json.RawMessage {
	t.Helper()
	var body struct {
		Data struct {
			Status string `json:"status_id"`
			FIDO2  struct {
				Request   string          `json:"fidoRequestId"`
				Challenge json.RawMessage `json:"server_challenge"`
			} `json:"fido2_entity"`
		} `json:"data"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Data.FIDO2.Request != body.Data.Status || len(body.Data.FIDO2.Challenge) == 0 {
		t.Fatalf("no challenge: %v %s", err, w.Body)
	}
	return body.Data.FIDO2.Challenge
}

// signed posts what a passkey answered, as the JavaScript library does.
func (c *caller) signed(path, exchangeID string, credential mfa.Response) *httptest.ResponseRecorder {
	c.h.T.Helper()
	body, err := json.Marshal(map[string]any{"exchange_id": exchangeID, "type": "FIDO2",
		"fido2_client_response": map[string]any{"client_response": json.RawMessage(credential), "fidoRequestId": "of the initiation"}})
	c.h.OK(err)
	return c.do("POST", path, "application/json", string(body))
}

func TestAPasskeyInPlaceOfThePassword(t *testing.T) {
	for name, named := range map[string][]string{"for a name": {"identifier", "ada"}, "without a name": nil} {
		t.Run(name, func(t *testing.T) {
			h, d := withPasskey(t, false)
			b := h.browser()
			request, _ := b.begin()
			for _, who := range []string{"ada", "nobody"} {
				list := h.is(b.json("/verification-srv/v2/setup/public/configured/list", "identifier", who, "request_id", request), http.StatusOK)
				if !strings.Contains(list.Body.String(), `{"type":"FIDO2","mediums":[{"id":"FIDO2","text":"FIDO2","verified":true}]}`) {
					t.Errorf("%s: listed %s", who, list.Body)
				}
				h.is(b.json("/verification-srv/v2/setup/public/configured/check/fido2", "identifier", who, "request_id", request), http.StatusOK)
			}
			begun := h.is(b.json("/verification-srv/authentication/fido2/initiation",
				append(named, "medium_id", "FIDO2", "usage_type", "INITIAL_AUTHENTICATION", "request_id", request)...), http.StatusOK)
			credential, err := d.Get(mfa.Challenge(challengeOf(t, begun)))
			h.OK(err)
			verify, exchangeID := "/verification-srv/authentication/fido2/verification", h.at(begun, "data.exchange_id.exchange_id")
			forged, err := d.Change(credential, func(_ map[string]any, authData []byte) { authData[0] ^= 1 })
			h.OK(err)
			h.is(b.signed(verify, exchangeID, forged), expectationFailed)
			done := h.is(b.signed(verify, exchangeID, credential), http.StatusOK)
			h.is(b.signed(verify, exchangeID, credential), expectationFailed)
			_, to := b.follow(b.form("/login-srv/verification/login", "requestId", request, "status_id", h.at(done, "data.status_id"),
				"verificationType", "fido2", "sub", h.at(done, "data.sub")))
			_, claims := h.claims(h.mustCode(to))
			if claims["acr"] != "phr" && claims["acr"] != "aal2" {
				t.Errorf("acr %v and amr %v, want what a passkey shows", claims["acr"], claims["amr"])
			}
		})
	}
}

func TestAPasskeyAfterThePassword(t *testing.T) {
	h, d := withPasskey(t, true)
	h.client(always)
	b := h.browser()
	request, _ := b.begin()
	_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
	q := h.query(to, app+"/login?")
	track, sub := q.Get("track_id"), q.Get("sub")
	list := h.is(b.json("/verification-srv/v2/setup/public/configured/list", "sub", sub, "request_id", request), http.StatusOK)
	if h.at(list, "data.configured_list.0.type") != "FIDO2" {
		t.Errorf("listed %s", list.Body)
	}
	begun := h.is(b.json("/verification-srv/v2/authenticate/initiate/fido2", "usage_type", "MULTIFACTOR_AUTHENTICATION", "request_id", request,
		"sub", sub, "medium_id", h.at(list, "data.configured_list.0.mediums.0.id"), "type", "fido2"), http.StatusOK)
	credential, err := d.Get(mfa.Challenge(challengeOf(t, begun)))
	h.OK(err)
	h.is(b.signed("/verification-srv/v2/authenticate/authenticate/fido2", h.at(begun, "data.exchange_id.exchange_id"), credential), http.StatusOK)
	_, to = b.follow(h.is(b.form("/login-srv/precheck/continue/"+track, "track_id", track), http.StatusSeeOther))
	_, claims := h.claims(h.mustCode(to))
	if claims["acr"] != "phr" && claims["acr"] != "aal2" {
		t.Errorf("acr %v and amr %v, want two factors", claims["acr"], claims["amr"])
	}
}

// The response to one login's challenge is none to that of another.
func TestTheChallengeOfOneLoginIsNoneOfAnother(t *testing.T) {
	h, d := withPasskey(t, false)
	begin := func() (*caller, string, *httptest.ResponseRecorder) {
		b := h.browser()
		request, _ := b.begin()
		return b, request, h.is(b.json("/verification-srv/authentication/fido2/initiation", "identifier", "ada",
			"usage_type", "INITIAL_AUTHENTICATION", "request_id", request), http.StatusOK)
	}
	_, _, victim := begin()
	attacker, request, own := begin()
	credential, err := d.Get(mfa.Challenge(challengeOf(t, victim)))
	h.OK(err)
	h.is(attacker.signed("/verification-srv/authentication/fido2/verification", h.at(own, "data.exchange_id.exchange_id"), credential), expectationFailed)
	w := attacker.form("/login-srv/verification/login", "requestId", request, "status_id", h.at(own, "data.status_id"), "verificationType", "fido2")
	if _, to := attacker.follow(w); len(maps.Clone(h.query(to, app+"/"))["code"]) > 0 {
		t.Errorf("led to %s, with a code", to)
	}
}
