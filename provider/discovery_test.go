package provider

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"sallyport/mfa"
	"sallyport/provider/clientdocument"
	"sallyport/provider/clients"
	"sallyport/provider/details"
	"sallyport/provider/mtls"
	"sallyport/provider/mtls/mtlstest"
	"sallyport/provider/registration"
	"sallyport/storage"
)

// Discovery says what is true for the settings in force: each changes exactly these members. A list has
// what it had, and more.
//
// Conformance (Certificates of clients): RFC 8705 3.3, 3.4, 5: the metadata names methods, bound tokens and aliases where they are in force
func TestDiscoveryFollowsTheSettings(t *testing.T) {
	h := newFixture(t)
	read := func(o Options) map[string]any {
		t.Helper()
		h.options(func(now *Options) { *now = o })
		var m map[string]any
		h.ok(json.Unmarshal(h.p.Discovery().Body, &m))
		return m
	}
	types, err := details.Read("types", []byte(`{types: [{type: payment, title: {en: Pay}, members: [{name: amount, title: {en: Amount}}]}]}`))
	h.ok(err)
	authorities, err := mtls.ReadAuthorities(mtlstest.New(t, "Example CA", h.now()).File())
	h.ok(err)
	aliases := map[string]any{}
	for name, path := range mtls.Paths() {
		aliases[name] = aliased + path
	}
	type members = map[string]any
	type list = []any
	own := list{"self_signed_tls_client_auth"}
	both := list{"tls_client_auth", "self_signed_tls_client_auth"}
	base := h.p.options
	plain := read(base)
	for name, tc := range map[string]struct {
		set  func(*Options)
		want members
	}{
		"none": {func(*Options) {}, members{}},
		"acr_aliases": {func(o *Options) {
			o.ACRAliases = map[string]mfa.Level{"urn:example:bronze": mfa.AAL1, "urn:example:gold": mfa.AAL2, "urn:example:silver": mfa.AAL1}
		}, members{"acr_values_supported": list{"urn:example:bronze"}}},
		"authorization_details": {func(o *Options) { o.Details = types }, members{"authorization_details_types_supported": list{"payment"}}},
		"client_documents":      {func(o *Options) { o.Documents = &clientdocument.Options{} }, members{"client_id_metadata_document_supported": true}},
		"legacy_response_types": {func(o *Options) { o.LegacyResponseTypes = true }, members{"response_types_supported": asAny(clients.LegacyResponseTypes),
			"grant_types_supported": list{"implicit"}, "claims_supported": list{"c_hash"}}},
		"mtls at the same address": {func(o *Options) { o.MTLS = &mtls.Settings{} }, members{"tls_client_certificate_bound_access_tokens": true,
			"token_endpoint_auth_methods_supported": own, "introspection_endpoint_auth_methods_supported": own, "revocation_endpoint_auth_methods_supported": own}},
		"mtls": {func(o *Options) { o.MTLS = &mtls.Settings{URL: aliased, Authorities: authorities} }, members{"tls_client_certificate_bound_access_tokens": true,
			"token_endpoint_auth_methods_supported": both, "introspection_endpoint_auth_methods_supported": both, "revocation_endpoint_auth_methods_supported": both, "mtls_endpoint_aliases": aliases}},
		"registration: open":                    {func(o *Options) { o.Registration.Mode = registration.Open }, members{"registration_endpoint": issuer + "/register"}},
		"registration: token":                   {func(o *Options) { o.Registration.Mode = registration.Token }, members{"registration_endpoint": issuer + "/register"}},
		"require_dpop_nonce":                    {func(o *Options) { o.RequireDPoPNonce = true }, members{}},
		"require_pushed_authorization_requests": {func(o *Options) { o.RequirePushed = true }, members{"require_pushed_authorization_requests": true}},
		"resources":                             {func(o *Options) { o.Resources = []string{"https://api.example"} }, members{"protected_resources": list{"https://api.example"}}},
		"signup":                                {func(o *Options) { o.SignUp = func(storage.Client) bool { return false } }, members{"prompt_values_supported": list{"create"}}},
	} {
		o := base
		tc.set(&o)
		m, changed := read(o), members{}
		for member, value := range m {
			if more, isList := value.([]any); isList {
				before, _ := plain[member].([]any)
				if value = slices.DeleteFunc(slices.Clone(more), func(v any) bool { return slices.Contains(before, v) }); len(value.([]any)) == 0 && len(more) == len(before) {
					continue
				}
			} else if reflect.DeepEqual(value, plain[member]) {
				continue
			}
			changed[member] = value
		}
		for member := range maps.Keys(plain) {
			if _, still := m[member]; !still {
				t.Errorf("%s: without %s", name, member)
			}
		}
		if !reflect.DeepEqual(changed, tc.want) {
			t.Errorf("%s changes %v, want %v", name, changed, tc.want)
		}
	}
}

func asAny(texts []string) (out []any) {
	for _, text := range texts {
		out = append(out, text)
	}
	return out
}
