package login

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// onDevices is a client of devices.
func onDevices(c *storage.Client) {
	c.GrantTypes, c.RedirectURIs, c.PostLogoutRedirectURIs, c.Name = []string{clients.DeviceCode}, nil, nil, "Lighthouse TV"
}

// call posts a form to an endpoint of the provider as the client, from the device's own address.
func (h *fixture) call(serve func(http.ResponseWriter, *http.Request, mfa.Caller), form url.Values) map[string]any {
	h.T.Helper()
	r := httptest.NewRequest("POST", "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("shop", url.QueryEscape(clientSecret))
	w := httptest.NewRecorder()
	serve(w, r, mfa.Caller{Address: "203.0.113.9", Country: "PT", UserAgent: "LighthouseTV/2 <living room>"})
	var out map[string]any
	h.OK(json.Unmarshal(w.Body.Bytes(), &out))
	return out
}

func (h *fixture) device() (deviceCode, userCode string) {
	h.T.Helper()
	out := h.call(h.Provider.DeviceAuthorization, url.Values{"scope": {"openid email"}})
	deviceCode, _ = out["device_code"].(string)
	userCode, _ = out["user_code"].(string)
	if deviceCode == "" || userCode == "" {
		h.T.Fatalf("device authorization = %v", out)
	}
	return deviceCode, userCode
}

func (h *fixture) polled(deviceCode string) map[string]any {
	h.T.Helper()
	h.Wait(5 * time.Second)
	return h.call(h.Provider.Grants.Token, url.Values{"grant_type": {clients.DeviceCode}, "device_code": {deviceCode}})
}

// Conformance (Device authorization): RFC 8628 3.3, 5.4: the page says which application asks for what, and from where
func TestAPersonConnectsADevice(t *testing.T) {
	h := newFixture(t)
	h.client(func(c *storage.Client) { onDevices(c); c.MFA = mfa.MFAAlways })
	h.User("ada", totpKey)
	deviceCode, userCode := h.device()
	b := h.browser()
	b.Get("/device")
	b.Must("/device", 200, `id="user-code"`, "Nobody from support will ever send you such a code.")
	b.Submit("device-submit", "user_code", "XXXX-XXXX")
	b.Must("/device", 422, "This code does not work", `value="XXXX-XXXX"`, `aria-invalid="true"`)
	b.Submit("device-submit", "user_code", strings.ToLower(strings.Replace(userCode, "-", " ", 1)))
	b.Must("/login", 200, "Lighthouse TV")
	b.login("ada", password)
	b.Must("/mfa", 200)
	b.Submit("mfa-submit", "passcode", h.Code(totpKey))
	b.Must("/consent", 200, "Sign in to Lighthouse TV on another device?", "from 203.0.113.9 (PT)", "“LighthouseTV/2 living room”",
		"Allow this only if you started it yourself", "see your e-mail address", "ada@example.org")
	if got := h.polled(deviceCode); got["error"] != "authorization_pending" {
		t.Errorf("before the answer = %v", got)
	}
	b.Submit("consent-allow", "decision", "allow")
	b.Must("/device/allowed", 200, "Your device is connected")
	if got := h.polled(deviceCode); got["access_token"] == nil || got["id_token"] == nil {
		t.Errorf("after it = %v", got)
	}
	if log := h.Log.String(); strings.Contains(log, userCode) || strings.Contains(log, deviceCode) {
		t.Errorf("the log has a code: %s", log)
	}
	// Who follows a link is asked too, although signed in and asked before; a code in an address
	// does nothing by itself.
	deviceCode, userCode = h.device()
	b.Get("/device?user_code=" + userCode)
	b.Must("/device", 200, `value="`+userCode+`"`, "Continue only if both are the same.")
	b.Submit("device-submit")
	b.Must("/consent", 200, "Sign in to Lighthouse TV on another device?")
	b.Submit("consent-deny", "decision", "deny")
	b.Must("/device/denied", 200, "The device was not connected")
	if got := h.polled(deviceCode); got["error"] != "access_denied" {
		t.Errorf("denied = %v", got)
	}
	b.Get("/device")
	b.Submit("device-submit", "user_code", userCode)
	b.Must("/device", 422, "This code does not work")
}

func TestOnlyAFormOfThisBrowserConnectsADevice(t *testing.T) {
	h := newFixture(t)
	h.client(onDevices)
	h.User("ada", "")
	deviceCode, userCode := h.device()
	attacker := h.browser()
	attacker.Get("/device")
	attacker.Submit("device-submit", "user_code", userCode)
	attacker.Must("/login", 200)
	login := attacker.URL
	_, theirs := attacker.Form(`id="login-form"`)
	victim := h.browser()
	victim.Get("/device")
	victim.Get(login) // a login that another browser began
	victim.Must("/login", 400)
	for name, form := range map[string]url.Values{"without a token": {"user_code": {userCode}}, "with another browser's": {"user_code": {userCode}, "csrf": {theirs.Get("csrf")}}} {
		victim.Post("/device", form)
		victim.Must("/device", 403)
		if got := h.polled(deviceCode); got["error"] != "authorization_pending" {
			t.Errorf("%s: poll = %v", name, got)
		}
	}
}

func TestThePageForDevicesShowsWhatWasTyped(t *testing.T) {
	h := newFixture(t)
	b := h.browser()
	for query, want := range map[string]string{
		"?user_code=%3Cscript%3E": `value="&lt;SCRIPT&gt;"`, "?user_code=" + strings.Repeat("B", 21): `value=""`, "?user_code=": `value=""`,
		"?user_code=ab&user_code=cd": `value=`,
	} {
		b.Get("/device" + query)
		if b.Page.Code == 200 {
			b.Must("/device", 200, want)
		}
	}
	for range 20 {
		b.Get("/device")
		b.Submit("device-submit", "user_code", "BCDF-GHJK")
		b.Must("/device", 422)
	}
	b.Submit("device-submit", "user_code", "BCDF-GHJK")
	b.Must("/device", 429, "data-wait=")
}

func TestTheNameOfADeviceStaysInItsQuotation(t *testing.T) {
	for agent, want := range map[string]string{
		"MeridianTV/2.1 (living room)":          "MeridianTV/2.1 (living room)",
		"Fernseher_Küche-2":                     "Fernseher_Küche-2",
		"TV\" - checked by support. \"":         "TV - checked by support.",
		"TV” – ‘it is’ yours: <b>\u202e\x00\n“": "TV  it is yours b",
		"\xff\xfe” ":                            "",
		"\u3164\u2800":                          "",
		strings.Repeat("a", 59) + "ü":           strings.Repeat("a", 59),
	} {
		o := originOf(&storage.PolledRequest{Details: storage.PolledDetails{Agent: agent}})
		if o.Named != want {
			t.Errorf("%q is named %q, want %q", agent, o.Named, want)
		}
	}
}
