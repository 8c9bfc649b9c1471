package clients

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sallyport/input"
	"sallyport/provider/clientkeys"
	"sallyport/provider/mtls"
	"sallyport/provider/origin"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// MaxID is the length of the longest client_id, in characters of ASCII.
const MaxID = 255

// Fault is what is wrong with a field of a client. Fields have the names of the desired state;
// "" is the client as a whole.
type Fault struct{ Field, Text string }

// InvalidError is returned for a client that breaks the rules.
type InvalidError struct{ Faults []Fault }

// Error implements error.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = strings.TrimSpace(f.Field + " " + f.Text)
	}
	return "invalid client: " + strings.Join(texts, "; ")
}

var (
	// validID is the syntax of a client_id (RFC 6749 appendix A.1).
	validID = regexp.MustCompile(fmt.Sprintf(`^[!-~]{1,%d}$`, MaxID))
	// validScope is the syntax of a scope (RFC 6749 appendix A.4).
	validScope = regexp.MustCompile(`^[!#-\[\]-~]{1,255}$`)
)

// checker collects the faults of a client.
type checker struct {
	*Client
	faults []Fault
}

// Faults returns everything that is wrong with a client.
func Faults(c storage.Client) []Fault {
	k := &checker{Client: New(c)}
	k.fault(!validID.MatchString(string(c.ID)), "client_id", "is required: 1 to 255 printable ASCII characters without spaces")
	k.fault(!input.Shown(c.Name), "client_name", input.NameFault)
	k.fault(c.Name != strings.TrimSpace(c.Name), "client_name", "must not begin or end with a space")
	k.checkOrigin()
	k.checkAuthentication()
	k.checkKeys()
	k.checkGrants()
	k.checkURIs()
	k.checkPolicy()
	k.checkTokens()
	k.checkSubjects()
	k.checkEncryption()
	k.checkResponses()
	k.checkProfile()
	return k.faults
}

const (
	maxContacts = 10
	maxSoftware = 255 // bytes
)

// checkOrigin checks who is responsible for the client, and what it is an instance of.
func (k *checker) checkOrigin() {
	k.fault(len(k.Contacts) > maxContacts, "contacts", fmt.Sprintf("must be at most %d", maxContacts))
	for i, text := range k.Contacts {
		k.fault(text == "" || len(text) > maxSoftware || !input.Shown(text), fmt.Sprintf("contacts[%d]", i), "must be an address that can be shown, of at most 255 bytes")
	}
	for field, text := range map[string]string{"software_id": k.SoftwareID, "software_version": k.SoftwareVersion} {
		k.fault(len(text) > maxSoftware || !input.Shown(text), field, "must be text that can be shown, of at most 255 bytes")
	}
}

func (k *checker) fault(when bool, field, text string) {
	if when {
		k.faults = append(k.faults, Fault{field, text})
	}
}

func (k *checker) oneOf(field, value string, allowed ...string) {
	names := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	k.fault(!slices.Contains(allowed, value), field, "must be one of "+strings.Join(names, ", "))
}

func (k *checker) within(field string, d storage.Seconds, lowest, highest time.Duration) {
	k.fault(d != 0 && (d.Duration() < lowest || d.Duration() > highest), field, fmt.Sprintf("must be from %s to %s", lowest, highest))
}

func (k *checker) checkAuthentication() {
	k.oneOf("token_endpoint_auth_method", k.AuthMethod, "none", "client_secret_basic", "client_secret_post", SecretJWT, "private_key_jwt", mtls.TLSClientAuth, mtls.SelfSignedAuth)
	k.fault(k.Public != (k.AuthMethod == "none"), "token_endpoint_auth_method", "none is for public clients, and for all of them")
	k.checkSecrets()
	signs := k.AuthMethod == "private_key_jwt"
	k.fault((signs || k.AuthMethod == mtls.SelfSignedAuth) && !clientkeys.Has(&k.Client.Client), "token_endpoint_auth_method", k.AuthMethod+" needs jwks or jwks_uri")
	for _, f := range mtls.Faults(&k.Client.Client) {
		k.fault(true, f.Field, f.Text)
	}
	const alg = "token_endpoint_auth_signing_alg"
	switch {
	case k.AuthMethod == SecretJWT:
		k.oneOf(alg, k.AuthSigningAlg, append([]string{""}, clientkeys.SecretAlgorithms()...)...)
	case signs:
		k.oneOf(alg, k.AuthSigningAlg, append([]string{""}, clientkeys.Algorithms()...)...)
	default:
		k.fault(k.AuthSigningAlg != "", alg, "belongs to "+SecretJWT+" and private_key_jwt")
	}
}

// checkKeys checks the registered keys (RFC 7591 section 2: by value or by address).
func (k *checker) checkKeys() {
	if len(k.JWKS) > 0 {
		err := clientkeys.CheckSet(k.JWKS, k.AuthMethod == mtls.SelfSignedAuth)
		k.fault(err != nil, "jwks", fmt.Sprint(err))
		k.fault(err == nil && (k.AuthMethod == "private_key_jwt" || k.RequireSignedRequestObject) && !clientkeys.CanVerify(k.JWKS), "jwks",
			"has no key for the signatures of the client: RS256, PS256, ES256 or Ed25519")
	}
	k.fault(len(k.JWKS) > 0 && k.JWKSURI != "", "jwks_uri", "excludes jwks")
	for i, uri := range k.RequestURIs {
		address, _, _ := strings.Cut(uri, "#")
		k.fault(!fetched(address), fmt.Sprintf("request_uris[%d]", i), "must be an https address of at most 2048 characters, without user")
	}
	k.oneOf("request_object_signing_alg", k.RequestObjectAlg, append([]string{""}, clientkeys.Algorithms()...)...)
	k.fault(k.RequireSignedRequestObject && !clientkeys.Has(&k.Client.Client), "require_signed_request_object", "needs jwks or jwks_uri")
	k.fault(k.JWKSURI != "" && !fetched(k.JWKSURI), "jwks_uri", "must be an https address of at most 2048 characters, without user and fragment")
}

// fetched reports whether an address may be one that the server fetches.
func fetched(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && len(uri) <= maxRedirect && !strings.Contains(uri, "#")
}

func (k *checker) checkGrants() {
	for i, g := range k.GrantTypes {
		k.oneOf(fmt.Sprintf("grant_types[%d]", i), g, GrantTypes...)
	}
	for i, t := range k.ResponseTypes {
		k.oneOf(fmt.Sprintf("response_types[%d]", i), t, "code")
	}
	for i, t := range k.LegacyResponseTypes {
		k.oneOf(fmt.Sprintf("legacy_response_types[%d]", i), t, LegacyResponseTypes...)
	}
	for i, s := range k.Scopes {
		k.fault(!validScope.MatchString(s), fmt.Sprintf("scopes[%d]", i), "is not a scope (RFC 6749 section 3.3)")
	}
	for i, name := range k.DetailsTypes {
		k.fault(!validScope.MatchString(name), fmt.Sprintf("authorization_details_types[%d]", i), "must be 1 to 255 printable ASCII characters without spaces")
	}
	has := func(grant string) bool { return slices.Contains(k.GrantTypes, grant) }
	k.fault(k.Public && has("client_credentials"), "grant_types", "client_credentials is for confidential clients (RFC 6749 section 4.4)")
	k.fault(has("refresh_token") && !has("authorization_code") && !has(DeviceCode) && !has(CIBA), "grant_types", "refresh_token is of no use without a grant type that users are asked in")
	k.fault(has("authorization_code") && len(k.RedirectURIs) == 0, "redirect_uris", "is required for authorization_code")
	k.checkExchange(has(TokenExchange))
	k.checkCIBA(has(CIBA))
	k.checkBound("dpop_bound_access_tokens", k.DPoPBound)
	k.checkBound("tls_client_certificate_bound_access_tokens", k.CertificateBound)
	k.fault(k.PKCEOptional && k.NeedsPKCE(), "pkce_optional", "excuses confidential web clients only")
}

// checkBound checks a setting that binds the client's tokens.
func (k *checker) checkBound(field string, bound bool) {
	k.fault(bound && k.ManagesFactors, field, "excludes manages_factors: those calls take bearer tokens")
	k.fault(bound && slices.ContainsFunc(k.LegacyResponseTypes, returnsToken), field, "excludes response types with token: they are bound to nothing")
}

func (k *checker) checkURIs() {
	for i, uri := range k.RedirectURIs {
		text := k.redirectFault(uri)
		k.fault(text != "", fmt.Sprintf("redirect_uris[%d]", i), text)
	}
	for i, uri := range k.PostLogoutRedirectURIs {
		text := k.redirectFault(uri)
		k.fault(text != "", fmt.Sprintf("post_logout_redirect_uris[%d]", i), text)
	}
	k.checkLogoutURIs()
	for i, text := range k.AllowedOrigins {
		u, err := url.Parse(text)
		k.fault(err != nil || origin.Of(text) == "" || !origin.Secure(u) || u.User != nil || strings.Count(text, "/") > 2 || strings.ContainsAny(text, "?#*"),
			fmt.Sprintf("allowed_origins[%d]", i), "must be an origin such as https://app.example.com, without path or wildcard")
	}
	for _, f := range [][2]string{{"login_url", k.LoginURL}, {"mfa_url", k.MFAURL}, {"logo_uri", k.LogoURI}, {"policy_uri", k.PolicyURI},
		{"tos_uri", k.TosURI}, {"client_uri", k.ClientURI}} {
		u, err := url.Parse(f[1])
		k.fault(f[1] != "" && (err != nil || u.Host == "" || u.User != nil || !origin.Secure(u)), f[0], "must be an https address (http for localhost only)")
	}
	k.fault(k.InitiateLoginURI != "" && !fetched(k.InitiateLoginURI), "initiate_login_uri", "must be an https address of at most 2048 characters, without user and fragment")
	k.fault(k.SupportURL != "" && !input.Contact(k.SupportURL), "support_url", input.ContactFault)
	k.fault(k.MFAURL != "" && k.LoginURL == "", "mfa_url", "is of no use without login_url")
	k.fault(k.LoginURL != "" && !k.HeadlessLogin, "login_url", "is of no use without headless_login")
}

// checkLogoutURIs checks where the client is told of ended sessions (OpenID Connect Back-Channel
// Logout 1.0 section 2.2, Front-Channel Logout 1.0 section 2). Browsers of users load the address of
// the front-channel, so it must be where they also come back to.
func (k *checker) checkLogoutURIs() {
	k.fault(k.BackchannelLogoutURI != "" && !called(k.BackchannelLogoutURI), "backchannel_logout_uri", calledFault)
	k.fault(k.BackchannelLogoutSessionRequired && k.BackchannelLogoutURI == "", "backchannel_logout_session_required", "belongs to backchannel_logout_uri")
	k.fault(k.FrontchannelLogoutSessionRequired && k.FrontchannelLogoutURI == "", "frontchannel_logout_session_required", "belongs to frontchannel_logout_uri")
	if k.FrontchannelLogoutURI == "" {
		return
	}
	k.fault(!called(k.FrontchannelLogoutURI), "frontchannel_logout_uri", calledFault)
	from := origin.Of(k.FrontchannelLogoutURI)
	k.fault(!slices.ContainsFunc(k.RedirectURIs, func(uri string) bool { return origin.Of(uri) == from }),
		"frontchannel_logout_uri", "must have the scheme, host and port of one of redirect_uris")
}

const calledFault = "must be an https address (http for loopback addresses only) of at most 2048 ASCII characters, without user and fragment"

// called reports whether an address may be one that the server, or a browser in its name, calls.
func called(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && origin.Secure(u) && origin.Of(uri) != "" && u.User == nil && len(uri) <= maxRedirect && !strings.Contains(uri, "#") &&
		!strings.ContainsFunc(uri, func(x rune) bool { return x <= ' ' || x > '~' || x == '\\' })
}

// redirectFault returns what is wrong with a redirect URI (RFC 9700 section 2.1, RFC 8252
// sections 7 and 8.4), or "".
func (k *checker) redirectFault(uri string) string {
	if len(uri) > maxRedirect || strings.ContainsFunc(uri, func(x rune) bool { return x <= ' ' || x > '~' }) {
		return "must be at most 2048 ASCII characters without spaces"
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "" || u.User != nil || strings.ContainsAny(uri, `#\*`):
		return "must be an absolute URL without fragment, user, backslash or wildcard"
	case u.Scheme == "http" || u.Scheme == "https":
		if u.Host == "" || !origin.Secure(u) {
			return "must begin with https:// (http:// is for loopback addresses only)"
		}
		return ""
	case !k.Native:
		return "a scheme of its own is for native clients"
	case !strings.Contains(u.Scheme, "."):
		return "a scheme of its own must be a reversed domain name, such as com.example.app"
	}
	return ""
}

func (k *checker) checkPolicy() {
	k.oneOf("mfa", k.MFA, "OFF", "ALWAYS", "TIME_BASED", "SMART", "PHR", "PHRH")
	k.fault((k.MFA == "TIME_BASED") != (k.MFAInterval > 0), "mfa_interval", "belongs to mfa TIME_BASED, and is required there")
	k.within("mfa_remember", k.MFARemember, 5*time.Minute, 8760*time.Hour)
	k.fault(slices.Contains([]string{"SMART", "PHR", "PHRH"}, k.MFA) && k.MFARemember > 0, "mfa_remember", "has no effect with mfa "+k.MFA)
	k.oneOf("signup", k.SignUp, "", "off", "open", "invited")
	for field, claims := range map[string][]string{"signup_required": k.SignUpRequired, "signup_optional": k.SignUpOptional} {
		for i, c := range claims {
			path := fmt.Sprintf("%s[%d]", field, i)
			k.oneOf(path, c, storage.SignUpClaims()...)
			k.fault(slices.Contains(claims[:i], c) || field == "signup_optional" && slices.Contains(k.SignUpRequired, c), path, "is named twice")
		}
	}
	k.fault(k.TermsURL != "" && !input.TermsURL(k.TermsURL), "terms_url", input.TermsURLFault)
	k.fault(k.TermsURL == "" && k.TermsVersion != "", "terms_url", "is required with terms_version")
	k.fault((k.TermsURL != "" || k.TermsVersion != "") && !input.TermsVersion(k.TermsVersion), "terms_version", input.TermsVersionFault)
	k.oneOf("consent", k.Consent, "skip", "ask")
	for i, s := range k.RequiredScopes {
		k.fault(!slices.Contains(k.Client.Client.Scopes, s), fmt.Sprintf("required_scopes[%d]", i), "must be one of scopes")
	}
	for i, m := range k.AllowedMethods {
		k.fault(m == "", fmt.Sprintf("allowed_methods[%d]", i), "must name a method")
	}
}

// UnsignedFaults returns the faults of a client whose tokens or responses the server could not sign. algs
// are the algorithms that it has keys for.
func UnsignedFaults(c storage.Client, algs []string) []Fault {
	var out []Fault
	for _, x := range []struct{ field, alg string }{
		{"id_token_signed_response_alg", c.IDTokenAlg},
		{"userinfo_signed_response_alg", c.UserinfoAlg},
		{"authorization_signed_response_alg", c.AuthorizationAlg},
		{"introspection_signed_response_alg", c.IntrospectionAlg},
	} {
		if slices.Contains(signing.Algorithms(), x.alg) && !slices.Contains(algs, x.alg) { // another fault otherwise
			out = append(out, Fault{Field: x.field, Text: "must be one of " + strings.Join(algs, ", ") + ", for which the server has a key (signing_algs)"})
		}
	}
	return out
}

func (k *checker) checkTokens() {
	k.oneOf("id_token_signed_response_alg", k.IDTokenAlg, append([]string{""}, signing.Algorithms()...)...)
	k.oneOf("id_token_claims", k.IDTokenClaims, "", "requested", "scopes")
	k.oneOf("access_token_format", k.AccessTokenFormat, "", "jwt", "opaque")
	k.within("access_token_ttl", k.AccessTokenTTL, time.Minute, time.Hour)
	k.within("refresh_token_idle_ttl", k.RefreshTokenIdleTTL, time.Minute, 2160*time.Hour)
	k.within("refresh_token_ttl", k.RefreshTokenTTL, time.Minute, 2160*time.Hour)
	k.fault(k.RefreshGrace != nil && (*k.RefreshGrace < 0 || k.RefreshGrace.Duration() > 10*time.Second), "refresh_grace", "must be from 0s to 10s")
}
