package provider

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sallyport/provider/details"
	"sallyport/storage"
)

const (
	twelve   = `{"amount":"12.50 EUR","creditor":"Shop","type":"payment"}`
	thousand = `{"amount":"1000.00 EUR","creditor":"Shop","type":"payment"}`
)

// pays makes the type payment known, which the client rp may use.
func (h *fixture) pays(changes ...func(*storage.Client)) {
	h.t.Helper()
	types, err := details.Read("types", []byte(`{types: [{type: payment, title: {en: Make a payment, de: Eine Zahlung ausführen},
		members: [{name: amount, title: {en: Amount}, required: true}, {name: creditor, title: {en: To}}]}]}`))
	h.ok(err)
	h.options(func(o *Options) { o.Details = types })
	h.client("rp", append([]func(*storage.Client){func(c *storage.Client) { c.DetailsTypes = []string{"payment"} }}, changes...)...)
	h.user("ada", "")
}

// options builds the provider of the fixture again.
func (h *fixture) options(change func(*Options)) {
	h.t.Helper()
	o := h.p.options
	change(&o)
	var err error
	h.p, err = New(h.store, h.keyring, h.verifier, h.sessions, h.journal, h.now, h.p.random, o)
	h.ok(err)
}

func jsonOf(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// Conformance (Rich authorization requests): RFC 9396 7, 9.1, 9.2: what was granted is in the token response, the access token and introspection
// Conformance (Rich authorization requests): RFC 9396 6: a token request may ask for less, and not for more
// Conformance (Rich authorization requests): RFC 9396 10: discovery lists the types
func TestAuthorizationDetailsAreGranted(t *testing.T) {
	for _, format := range []string{"jwt", "opaque"} {
		t.Run(format, func(t *testing.T) {
			h := newFixture(t)
			h.pays(func(c *storage.Client) { c.AccessTokenFormat = format })
			both := "[" + twelve + "," + thousand + "]"
			code, _ := h.signIn(params("rp", "scope", "openid offline_access", "authorization_details", ` [ `+thousand+` , `+twelve+` ] `), "ada")
			both = "[" + thousand + "," + twelve + "]"
			made := h.post(h.p.Grants.Token, "rp", redeem(code, "authorization_details", "["+twelve+"]"))
			check := func(what string, r reply, want string) {
				t.Helper()
				for _, got := range []any{r.Body["authorization_details"], h.post(h.p.Introspection.Introspect, "rp", formOf("token", r.get("access_token"))).Body["authorization_details"]} {
					if r.Status != http.StatusOK || jsonOf(got) != want {
						t.Errorf("%s: %d %s, want %s", what, r.Status, jsonOf(got), want)
					}
				}
			}
			check("a code for less", made, "["+twelve+"]")
			next := h.post(h.p.Grants.Token, "rp", refreshOf(made.get("refresh_token")))
			check("a refresh", next, both)
			more := strings.Replace(twelve, "12.50", "13.00", 1)
			got := h.post(h.p.Grants.Token, "rp", refreshOf(next.get("refresh_token"), "authorization_details", "["+more+"]"))
			if got.get("error") != "invalid_authorization_details" {
				t.Errorf("a refresh for more = %d %s", got.Status, got.Raw)
			}
			refresh := h.post(h.p.Introspection.Introspect, "rp", formOf("token", next.get("refresh_token")))
			if jsonOf(refresh.Body["authorization_details"]) != both {
				t.Errorf("the refresh token = %s", refresh.Raw)
			}
			machine := h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials", "scope", "read", "authorization_details", "["+twelve+"]"))
			check("a client alone", machine, "["+twelve+"]")
			var discovery map[string]any
			h.ok(json.Unmarshal(h.p.Discovery().Body, &discovery))
			if jsonOf(discovery["authorization_details_types_supported"]) != `["payment"]` {
				t.Errorf("discovery = %v", discovery["authorization_details_types_supported"])
			}
		})
	}
}

// Conformance (Rich authorization requests): RFC 9396 5: what is wrong is `invalid_authorization_details`, at the authorization endpoint and for pushed requests
func TestAuthorizationDetailsThatAreRefused(t *testing.T) {
	h := newFixture(t)
	h.pays()
	h.client("other")
	for name, v := range map[string]url.Values{
		"an unknown type":       params("rp", "authorization_details", `[{"type":"loan"}]`),
		"a missing member":      params("rp", "authorization_details", `[{"type":"payment"}]`),
		"a client that may not": params("other", "authorization_details", "["+twelve+"]"),
		"no JSON":               params("rp", "authorization_details", "payment"),
	} {
		b := h.begin(v, nil)
		if b.Answer == nil || h.values(*b.Answer).Get("error") != "invalid_authorization_details" || h.values(*b.Answer).Get("state") != "the-state" {
			t.Errorf("%s: %+v", name, b)
		}
		id := v.Get("client_id")
		if got := h.post(h.p.Push, id, v); got.Status != http.StatusBadRequest || got.get("error") != "invalid_authorization_details" {
			t.Errorf("%s, pushed: %d %s", name, got.Status, got.Raw)
		}
	}
	got := h.post(h.p.Grants.Token, "other", formOf("grant_type", "client_credentials", "scope", "read", "authorization_details", "["+twelve+"]"))
	if got.get("error") != "invalid_authorization_details" {
		t.Errorf("a client alone = %d %s", got.Status, got.Raw)
	}
}

// A payment is allowed once: earlier consent, even to the same one, does not count.
//
// Conformance (Rich authorization requests): RFC 9396 1, 15: users see what they allow, every time
func TestUsersAllowAuthorizationDetailsEachTime(t *testing.T) {
	h := newFixture(t)
	h.pays(func(c *storage.Client) { c.Consent = "ask" })
	wanted := params("rp", "authorization_details", "["+twelve+"]")
	b := h.begin(wanted, nil)
	h.enter(b.Request, "ada", nil)
	st := h.next(b.Request, nil)
	want := []details.Shown{{Title: "Eine Zahlung ausführen", Lines: []details.Line{{Title: "Amount", Value: "12.50 EUR"}, {Title: "To", Value: "Shop"}}}}
	if st.Kind != StepConsent || !slices.EqualFunc(st.Details("de"), want, func(a, b details.Shown) bool { return a.Title == b.Title && slices.Equal(a.Lines, b.Lines) }) {
		t.Fatalf("step = %s %v, want consent to %v", st.Kind, st.Details("de"), want)
	}
	h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
	f, q := h.finish(b.Request, nil)
	s, err := h.sessions.Load(h.ctx, f.SessionToken)
	h.ok(err)
	if got := h.post(h.p.Grants.Token, "rp", redeem(q.Get("code"))); jsonOf(got.Body["authorization_details"]) != "["+twelve+"]" {
		t.Errorf("token = %s", got.Raw)
	}
	if again := h.begin(wanted, s); again.Request == "" || again.Step.Kind != StepConsent {
		t.Errorf("again = %+v, want consent", again)
	}
	silent := maps.Clone(wanted)
	silent.Set("prompt", "none")
	if b := h.begin(silent, s); b.Answer == nil || h.values(*b.Answer).Get("error") != "consent_required" {
		t.Errorf("prompt=none = %+v, want consent_required", b)
	}
	if b := h.begin(params("rp"), s); b.Finished == nil {
		t.Errorf("without details = %+v, want a code", b)
	}
}

// Details of one resource are not those of another.
func TestExchangedTokensHaveNoAuthorizationDetails(t *testing.T) {
	h := newFixture(t)
	h.pays(resources(api))
	h.client("gateway", exchanging, func(c *storage.Client) { c.DetailsTypes = []string{"payment"} })
	subject, _ := h.access("rp", "scope", "openid read", "authorization_details", "["+twelve+"]")
	got := h.exchange("gateway", subject)
	if claims, _ := h.readJWT(got.get("access_token")); got.Status != http.StatusOK || claims["authorization_details"] != nil {
		t.Errorf("exchange = %d %v", got.Status, claims)
	}
	if got := h.exchange("gateway", subject, "authorization_details", "["+twelve+"]"); got.get("error") != "invalid_authorization_details" {
		t.Errorf("exchange with details = %d %s", got.Status, got.Raw)
	}
}

// What a device asks for is shown where the person allows it.
func TestADeviceAsksForAuthorizationDetails(t *testing.T) {
	h := newFixture(t)
	h.pays()
	h.client("tv", device, func(c *storage.Client) { c.DetailsTypes = []string{"payment"} })
	codes := h.ask("tv", "authorization_details", "["+twelve+"]")
	st := h.visited(codes.user, "ada", h.visit)
	if got := st.Details("en"); len(got) != 1 || got[0].Lines[0].Value != "12.50 EUR" {
		t.Errorf("shown = %v", got)
	}
	_, err := h.allow(st, h.visit)
	h.ok(err)
	if got := h.poll("tv", codes); jsonOf(got.Body["authorization_details"]) != "["+twelve+"]" {
		t.Errorf("token = %d %s", got.Status, got.Raw)
	}
	form := formOf("scope", "openid", "authorization_details", `[{"type":"loan"}]`)
	if got := h.post(h.p.DeviceAuthorization, "tv", form); got.get("error") != "invalid_authorization_details" {
		t.Errorf("an unknown type = %d %s", got.Status, got.Raw)
	}
}
