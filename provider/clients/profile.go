package clients

import (
	"fmt"
	"net/url"
	"slices"

	"sallyport/provider/mtls"
	"sallyport/provider/signing"
)

// checkProfile checks what FAPI 2.0 demands of a client with profile fapi2, and forbids it (FAPI 2.0
// Security Profile sections 5.3.2 and 5.4.1). What the server does of itself for such a client, as
// to require PKCE and pushed requests, needs no setting.
func (k *checker) checkProfile() {
	k.oneOf("profile", k.Profile, "", FAPI2)
	if k.Profile != FAPI2 {
		return
	}
	k.fault(k.AuthMethod != "private_key_jwt" && !mtls.IsMethod(k.AuthMethod), "token_endpoint_auth_method",
		"must be private_key_jwt, "+mtls.TLSClientAuth+" or "+mtls.SelfSignedAuth+" with profile fapi2")
	k.fault(!k.SenderConstrained(), "profile", "fapi2 needs dpop_bound_access_tokens or tls_client_certificate_bound_access_tokens")
	k.fault(len(k.LegacyResponseTypes) > 0, "legacy_response_types", "must be empty with profile fapi2")
	k.fault(k.IDTokenAlg == "" || k.IDTokenAlg == excluded, "id_token_signed_response_alg", "must be PS256, ES256 or EdDSA with profile fapi2")
	// These ways to tokens go around the pushed request, or the key that tokens are bound to.
	k.fault(slices.Contains(k.GrantTypes, DeviceCode), "grant_types", "must not have "+DeviceCode+" with profile fapi2")
	k.fault(slices.Contains(k.ExchangeSubjectTypes, "id_token"), "token_exchange_subject_types", "must not have id_token with profile fapi2: it is bound to no key")
	k.fault(k.HeadlessLogin, "headless_login", "must be false with profile fapi2")
	for field, alg := range map[string]string{"token_endpoint_auth_signing_alg": k.AuthSigningAlg, "request_object_signing_alg": k.RequestObjectAlg,
		"authorization_signed_response_alg": k.AuthorizationAlg, "introspection_signed_response_alg": k.IntrospectionAlg, "userinfo_signed_response_alg": k.UserinfoAlg} {
		k.fault(alg == excluded, field, "must not be "+excluded+" with profile fapi2")
	}
	for i, uri := range k.RedirectURIs {
		u, err := url.Parse(uri)
		k.fault(err == nil && u.Scheme == "http" && !k.Native, fmt.Sprintf("redirect_uris[%d]", i), "must begin with https:// with profile fapi2, unless the client is native")
	}
	k.fault(k.RefreshGrace != nil && *k.RefreshGrace > 0, "refresh_grace", "has no effect with profile fapi2: its refresh tokens do not rotate")
}

// excluded is the algorithm that FAPI 2.0 does without: section 5.4.1 lists PS256, ES256 and EdDSA.
const excluded = "RS256"

// checkResponses checks the algorithms of signed responses.
func (k *checker) checkResponses() {
	algs := append([]string{""}, signing.Algorithms()...)
	k.oneOf("authorization_signed_response_alg", k.AuthorizationAlg, algs...)
	k.oneOf("introspection_signed_response_alg", k.IntrospectionAlg, algs...)
}
