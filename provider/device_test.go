package provider

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// device is a client of devices with a screen.
func device(c *storage.Client) {
	c.GrantTypes, c.RedirectURIs, c.Consent = []string{clients.DeviceCode, "refresh_token"}, nil, "skip"
}

// deviceCodes are what a device got.
type deviceCodes struct{ device, user string }

// ask asks for codes as a confidential client.
func (h *fixture) ask(id string, changes ...string) deviceCodes {
	h.t.Helper()
	r := h.post(h.p.DeviceAuthorization, id, formOf(append([]string{"scope", "openid email"}, changes...)...))
	if r.Status != http.StatusOK || r.Body["expires_in"] != 600.0 || r.Body["interval"] != 5.0 || r.get("verification_uri") != issuer+"/device" ||
		r.get("verification_uri_complete") != issuer+"/device?user_code="+r.get("user_code") || len(r.get("device_code")) < 43 || len(r.get("user_code")) != 9 {
		h.t.Fatalf("device authorization = %d %s", r.Status, r.Raw)
	}
	return deviceCodes{r.get("device_code"), r.get("user_code")}
}

// poll polls once the interval has passed.
func (h *fixture) poll(id string, c deviceCodes) reply {
	h.t.Helper()
	h.clock.Advance(5 * time.Second)
	return h.pollNow(id, c)
}

func (h *fixture) pollNow(id string, c deviceCodes) reply {
	h.t.Helper()
	return h.post(h.p.Grants.Token, id, url.Values{"grant_type": {clients.DeviceCode}, "device_code": {c.device}})
}

// visited opens the login for a code and signs a user in, up to the question.
func (h *fixture) visited(code, name string, v mfa.Caller) Step {
	h.t.Helper()
	b, err := h.p.BeginDevice(h.ctx, code, v, nil)
	h.ok(err)
	st, err := h.p.Next(h.ctx, Ask{Request: b.Request, Identifier: name, MayBeSealed: true, Visit: v})
	h.ok(err)
	login, proven := h.p.WithProof(&st, v)
	err = h.verifier.Password(h.ctx, v, login, password)
	h.ok(err)
	if proven.Finished != nil {
		h.t.Fatal("the login ended without a question")
	}
	st, err = h.p.Next(h.ctx, Ask{Request: proven.Step.Request.Address(), Visit: v})
	h.ok(err)
	return st
}

// allow answers the question and ends the login.
func (h *fixture) allow(st Step, v mfa.Caller) (Finished, error) {
	h.t.Helper()
	if st.Kind != StepConsent || st.Polled == nil {
		h.t.Fatalf("step = %s of %+v, want consent to a polled request", st.Kind, st.Polled)
	}
	h.ok(h.p.Allow(h.ctx, st, v, nil))
	next, err := h.p.Next(h.ctx, Ask{Request: st.Request.Address(), Visit: v})
	if err != nil {
		return Finished{}, err
	}
	return h.p.Finish(h.ctx, next, v, nil)
}

// Conformance (Device authorization): RFC 8628 3.1, 3.2: codes, addresses and times of the response
// Conformance (Device authorization): RFC 8628 3.4, 3.5: `authorization_pending`, then the tokens, once
// Conformance (Device authorization): RFC 8628 5.4: the person is asked, whatever the client and the session
func TestADeviceIsSignedInElsewhere(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("tv", device)
		h.user("ada", "")
		codes := h.ask("tv", "scope", "openid email offline_access")
		if r := h.poll("tv", codes); r.Status != 400 || r.get("error") != "authorization_pending" {
			t.Errorf("before = %d %s", r.Status, r.Raw)
		}
		st := h.visited(" "+strings.ToLower(strings.Replace(codes.user, "-", " – ", 1)), "ada", h.visit)
		if d := st.Polled.Details; d.Address != h.visit.Address || d.Agent != "test" {
			t.Errorf("details = %+v", d)
		}
		f, err := h.allow(st, h.visit)
		h.ok(err)
		if f.Answer.Location != issuer+DeviceAllowedPath || f.SessionToken == "" {
			t.Errorf("the browser goes to %q", f.Answer.Location)
		}
		r := h.poll("tv", codes)
		if r.Status != 200 || r.get("access_token") == "" || r.get("scope") != "openid email offline_access" {
			t.Fatalf("after = %d %s", r.Status, r.Raw)
		}
		claims, _ := h.readJWT(r.get("id_token"))
		if claims["aud"] != "tv" || claims["sub"] == "" || claims["at_hash"] == nil {
			t.Errorf("ID token = %v", claims)
		}
		if r := h.userinfo(r.get("access_token")); r.Body["email"] == nil {
			t.Errorf("userinfo = %s", r.Raw)
		}
		if r := h.post(h.p.Grants.Token, "tv", refreshOf(r.get("refresh_token"))); r.Status != 200 {
			t.Errorf("refresh = %d %s", r.Status, r.Raw)
		}
		// A second use ends the tokens of the first: one of the two callers stole the code.
		if r := h.poll("tv", codes); r.get("error") != "invalid_grant" || r.Refusal.Reason != "used_code" {
			t.Errorf("again = %d %s for %s", r.Status, r.Raw, r.Refusal.Reason)
		}
		if h.active("tv", r.get("access_token")) {
			t.Error("the tokens outlived the second use of their code")
		}
		// Another device asks the same person, who consented before and is signed in.
		s, err := h.sessions.Load(h.ctx, f.SessionToken)
		h.ok(err)
		b, err := h.p.BeginDevice(h.ctx, h.ask("tv").user, h.visit, s)
		h.ok(err)
		if b.Finished != nil || b.Step.Kind != StepConsent {
			t.Errorf("with a session and consent: %+v, want a question", b.Step.Kind)
		}
	})
}

// Conformance (Device authorization): RFC 8628 3.5: `slow_down`, `access_denied`, `expired_token`
func TestPollsOfADevice(t *testing.T) {
	h := newFixture(t)
	h.client("tv", device)
	h.client("other", device)
	h.user("ada", "")
	h.user("eve", "")
	codes := h.ask("tv")
	wants := func(name string, r reply, code string) {
		t.Helper()
		if r.get("error") != code {
			t.Errorf("%s = %d %s, want %s", name, r.Status, r.Raw, code)
		}
		if strings.Contains(r.Refusal.Value, codes.device) {
			t.Errorf("%s: the log has the code", name)
		}
	}
	wants("first", h.poll("tv", codes), "authorization_pending")
	wants("at once", h.pollNow("tv", codes), "slow_down")
	wants("after five more seconds", h.poll("tv", codes), "slow_down")
	h.clock.Advance(10 * time.Second)
	wants("after fifteen", h.poll("tv", codes), "authorization_pending")
	wants("another client's", h.poll("other", codes), "invalid_grant")
	wants("unknown", h.poll("tv", deviceCodes{device: codes.user}), "invalid_grant")
	wants("none", h.poll("tv", deviceCodes{}), "invalid_request")

	denied := h.ask("tv")
	a, err := h.p.Cancel(h.ctx, h.visited(denied.user, "ada", h.visit), h.visit)
	h.ok(err)
	if a.Location != issuer+DeviceDeniedPath {
		t.Errorf("denied: the browser goes to %q", a.Location)
	}
	wants("denied", h.poll("tv", denied), "access_denied")
	if _, err := h.p.BeginDevice(h.ctx, denied.user, h.visit, nil); mfa.CodeOf(err) != mfa.InvalidPasscode {
		t.Errorf("a denied code = %v", err)
	}

	late := h.ask("tv")
	st := h.visited(late.user, "ada", h.visit)
	h.clock.Advance(10 * time.Minute)
	if _, err := h.allow(st, h.visit); mfa.CodeOf(err) != mfa.RequestOver {
		t.Errorf("allowed too late = %v", err)
	}
	wants("expired", h.poll("tv", late), "expired_token")
	if _, err := h.p.BeginDevice(h.ctx, late.user, h.visit, nil); mfa.CodeOf(err) != mfa.InvalidPasscode {
		t.Errorf("an expired code = %v", err)
	}

	// What was allowed in the last second can still be fetched.
	last := h.ask("tv")
	st = h.visited(last.user, "ada", h.visit)
	h.clock.Advance(10*time.Minute - time.Second)
	_, err = h.allow(st, h.visit)
	h.ok(err)
	if r := h.poll("tv", last); r.Status != 200 {
		t.Errorf("allowed in the last second = %d %s", r.Status, r.Raw)
	}

	// A user who signs out, or is disabled, before the device asks gives it nothing.
	out := h.ask("tv")
	f, err := h.allow(h.visited(out.user, "ada", h.visit), h.visit)
	h.ok(err)
	h.ok(h.engine.EndSession(h.ctx, f.Session.ID, false, h.now(), nil))
	if r := h.poll("tv", out); r.get("error") != "invalid_grant" || r.Refusal.Reason != "signed_out" {
		t.Errorf("signed out = %d %s", r.Status, r.Raw)
	}
}

// Conformance (Device authorization): RFC 8628 3.4: of concurrent polls and people one ends a request
func TestADeviceIsSignedInOnce(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("tv", device)
		h.user("ada", "")
		h.user("eve", "")
		codes := h.ask("tv")
		other := h.visit
		other.Browser = strings.Repeat("e", 43)
		steps := []Step{h.visited(codes.user, "ada", h.visit), h.visited(codes.user, "eve", other)}
		if _, err := h.p.Next(h.ctx, Ask{Request: steps[0].Request.ID, Visit: other}); mfa.CodeOf(err) != mfa.UnknownRequest {
			t.Errorf("another browser's login = %v", err)
		}
		var ended sync.Map
		var wg sync.WaitGroup
		for i, v := range []mfa.Caller{h.visit, other} {
			wg.Go(func() {
				if _, err := h.allow(steps[i], v); err == nil {
					ended.Store(i, true)
				} else if code := mfa.CodeOf(err); code != mfa.RequestOver && code != mfa.RequestChanged {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		ended.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d people ended the request, want 1", n)
		}
		// The other is told, and not sent around in circles.
		for i, v := range []mfa.Caller{h.visit, other} {
			if _, won := ended.Load(i); !won {
				if _, err := h.p.Next(h.ctx, Ask{Request: steps[i].Request.Address(), Visit: v}); mfa.CodeOf(err) != mfa.RequestOver {
					t.Errorf("the other person's next step = %v, want over", err)
				}
			}
		}
		h.clock.Advance(5 * time.Second)
		got := make([]int, 8)
		for i := range got {
			wg.Go(func() { got[i] = h.pollNow("tv", codes).Status })
		}
		wg.Wait()
		tokens := 0
		for _, status := range got {
			if status == 200 {
				tokens++
			}
		}
		if tokens != 1 {
			t.Errorf("%d of %d concurrent polls got tokens, want 1", tokens, len(got))
		}
	})
}

// Conformance (Device authorization): RFC 8628 3.1: refusals of the device authorization endpoint
func TestDeviceAuthorizationRefuses(t *testing.T) {
	h := newFixture(t)
	h.client("tv", device)
	h.client("rp")
	h.client("signing", device, func(c *storage.Client) { c.RequireSignedRequestObject = true })
	h.client("fapi", device, func(c *storage.Client) { c.Profile = "fapi2" })
	for _, tc := range []struct {
		name, id string
		changes  []string
		code     string
		status   int
	}{
		{"a client without the grant type", "rp", nil, "unauthorized_client", 400},
		{"a client that signs its requests", "signing", nil, "unauthorized_client", 400},
		{"a client with profile fapi2", "fapi", nil, "unauthorized_client", 400},
		{"an unknown client", "nobody", nil, "invalid_client", 401},
		{"a scope of others", "tv", []string{"scope", "openid other"}, "invalid_scope", 400},
		{"a resource of others", "tv", []string{"resource", "https://other.example"}, "invalid_target", 400},
		{"more than a request may be long", "tv", []string{"ui_locales", strings.Repeat("de ", 2000)}, "invalid_request", 400},
		{"a wrong max_age", "tv", []string{"max_age", "-1"}, "invalid_request", 400},
		{"an acr that nobody reaches", "tv", []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"x"}}}`}, "unmet_authentication_requirements", 400},
	} {
		r := h.post(h.p.DeviceAuthorization, tc.id, formOf(tc.changes...))
		if r.Status != tc.status || r.get("error") != tc.code {
			t.Errorf("%s = %d %s, want %d %s", tc.name, r.Status, r.Raw, tc.status, tc.code)
		}
	}
	if r := h.post(h.p.Grants.Token, "rp", url.Values{"grant_type": {clients.DeviceCode}, "device_code": {"x"}}); r.get("error") != "unauthorized_client" {
		t.Errorf("poll of a client without the grant type = %s", r.Raw)
	}
}

// A request from outside cannot claim to be for a device, and so skip the checks of its redirect URI.
func TestOnlyTheServerOpensLoginsForDevices(t *testing.T) {
	h := newFixture(t)
	h.client("tv", device)
	h.user("ada", "")
	v := params("tv", polledParam, "11111111-1111-1111-1111-111111111111", "redirect_uri", "https://evil.example")
	if _, err := h.p.Begin(h.ctx, Params{Query: v}, h.visit, nil); codeOf(err) != "page:invalid_request:redirect_uri" {
		t.Errorf("authorize = %v", codeOf(err))
	}
	codes := h.ask("tv", polledParam, "11111111-1111-1111-1111-111111111111", hintSubject, "nobody")
	if _, err := h.allow(h.visited(codes.user, "ada", h.visit), h.visit); err != nil {
		t.Error(err)
	}
}

// The policy of the client holds: an acr that is asked for needs a second factor.
func TestALoginForADeviceFollowsThePolicy(t *testing.T) {
	h := newFixture(t)
	h.client("tv", device)
	h.client("strict", device, func(c *storage.Client) { c.MFA = "ALWAYS" })
	h.user("ada", totpSecret)
	for name, codes := range map[string]deviceCodes{"acr_values": h.ask("tv", "acr_values", "aal2"), "mfa": h.ask("strict")} {
		st := h.visited(codes.user, "ada", h.visit)
		if st.Kind != StepVerify || st.Polled != nil {
			t.Errorf("%s: step = %s, want a second factor before the question", name, st.Kind)
		}
		if err := h.p.Allow(h.ctx, st, h.visit, nil); mfa.CodeOf(err) != mfa.InvalidRequest {
			t.Errorf("%s: allowed = %v", name, err)
		}
	}
}
