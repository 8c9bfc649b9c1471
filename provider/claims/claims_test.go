package claims

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"sallyport/provider/clients"
	"sallyport/storage"
)

func richAccount() storage.Account {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	return storage.Account{
		User: storage.User{ID: "u1", Status: storage.UserActive, UpdatedAt: at, Profile: map[string]any{"name": "Ada Lovelace",
			"given_name": "Ada", "address": map[string]any{"country": "GB"}, "locale": "en", "secret": "never returned"}},
		Identifiers: []storage.Identifier{
			{Kind: storage.Email, Value: "first@example.org"},
			{Kind: storage.Email, Value: "ada@example.org", VerifiedAt: at},
			{Kind: storage.Phone, Value: "+4900000", ExpiresAt: at.Add(time.Minute)},
			{Kind: storage.Phone, Value: "+4912345"},
			{Kind: storage.Username, Value: "ada"},
		},
	}
}

// Conformance (OpenID Connect): Core 5.5: module oidcc-claims-essential: claims that are requested by name are returned where they are requested
func TestUserinfoClaims(t *testing.T) {
	account := richAccount()
	all := []string{"openid", "profile", "email", "address", "phone"}
	for _, tc := range []struct {
		name       string
		scopes     []string
		registered []string
		claims     string
		want       map[string]any
	}{
		{"openid alone returns none", []string{"openid"}, all, "", map[string]any{}},
		{"profile", []string{"openid", "profile"}, all, "", map[string]any{"name": "Ada Lovelace", "given_name": "Ada",
			"locale": "en", "preferred_username": "ada", "updated_at": int64(1777629600)}},
		{"email: the verified address first", []string{"openid", "email"}, all, "",
			map[string]any{"email": "ada@example.org", "email_verified": true}},
		{"phone, not verified", []string{"openid", "phone"}, all, "",
			map[string]any{"phone_number": "+4912345", "phone_number_verified": false}},
		{"address is an object", []string{"openid", "address"}, all, "",
			map[string]any{"address": map[string]any{"country": "GB"}}},
		{"one claim by name", []string{"openid"}, all, `{"userinfo":{"name":{"essential":true}}}`,
			map[string]any{"name": "Ada Lovelace"}},
		{"a claim of a scope that the client lacks", []string{"openid"}, []string{"openid"}, `{"userinfo":{"email":null}}`,
			map[string]any{}},
		{"an unknown claim", []string{"openid"}, all, `{"userinfo":{"secret":null,"nickname":null}}`, map[string]any{}},
		{"a claim of the ID token is not returned here", []string{"openid"}, all, `{"id_token":{"name":null}}`, map[string]any{}},
		{"another subject in the request", []string{"openid"}, all, `{"userinfo":{"sub":{"value":"u2"}}}`, map[string]any{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := UserInfo(json.RawMessage(tc.claims), &account, tc.scopes, tc.registered); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("claims = %v\nwant %v", got, tc.want)
			}
		})
	}
}

func TestIDTokenClaims(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	full := storage.Authorization{UserID: "u1", SessionID: "s1", Nonce: "n", ACR: "aal2", AMR: []string{"mfa", "otp", "pwd"}, AuthTime: at.Add(-time.Minute)}
	base := map[string]any{"iss": "https://op.example", "aud": storage.ClientID("rp"), "azp": storage.ClientID("rp"),
		"iat": at.Unix(), "exp": at.Add(10 * time.Minute).Unix(), "auth_time": at.Add(-time.Minute).Unix(), "nonce": "n", "acr": "aal2",
		"amr": []string{"mfa", "otp", "pwd"}}
	with := func(m map[string]any, pairs ...any) map[string]any {
		out := map[string]any{}
		for k, v := range m {
			out[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == nil {
				delete(out, pairs[i].(string))
				continue
			}
			out[pairs[i].(string)] = pairs[i+1]
		}
		return out
	}
	for _, tc := range []struct {
		name   string
		change func(*storage.Authorization)
		scopes []string
		want   map[string]any
	}{
		{"scope claims stay out of it", func(*storage.Authorization) {}, []string{"openid", "profile", "email"}, base},
		{"no nonce was sent", func(a *storage.Authorization) { a.Nonce = "" }, []string{"openid"}, with(base, "nonce", nil)},
		{"a claim requested by name", func(a *storage.Authorization) { a.Claims = json.RawMessage(`{"id_token":{"email":null}}`) },
			[]string{"openid"}, with(base, "email", "ada@example.org")},
		{"a claim of userinfo is not returned here", func(a *storage.Authorization) { a.Claims = json.RawMessage(`{"userinfo":{"email":null}}`) },
			[]string{"openid"}, base},
		{"the server's claims cannot be overridden", func(a *storage.Authorization) {
			a.Claims = json.RawMessage(`{"id_token":{"sub":{"value":"u2"},"iss":{"value":"x"},"exp":null}}`)
		}, []string{"openid"}, base},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := full
			tc.change(&a)
			c := clients.New(storage.Client{ID: "rp", Scopes: []string{"openid", "profile", "email"}})
			account := richAccount()
			got := IDToken("https://op.example", c, a, &account, tc.scopes, at, at.Add(10*time.Minute))
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("claims = %v\nwant %v", got, tc.want)
			}
		})
	}
}
