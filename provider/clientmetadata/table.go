package clientmetadata

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"sallyport/storage"
)

// member is a member of client metadata.
type member struct {
	name     string
	source   string   // where it is defined
	settings []string // the client settings it sets
	// set writes a value to a client, or what the member means if it is left out (nil). It returns
	// what is wrong with the value, or "".
	set func(c *storage.Client, value any) string
	get func(c *storage.Client) any // nil or an empty value: not shown
}

const (
	rfc7591    = "RFC 7591 section 2"
	oidc       = "OpenID Connect Dynamic Client Registration section 2"
	rfc8705    = "RFC 8705 section 2.1.2"
	rpLogout   = "OpenID Connect RP-Initiated Logout section 3.1"
	backLogout = "OpenID Connect Back-Channel Logout section 2.2"
	webLogout  = "OpenID Connect Front-Channel Logout section 2"
	ciba       = "OpenID Connect CIBA section 4"
)

// members is the table. A client setting with a registered metadata name has its row here.
func members() []member {
	return []member{
		list("redirect_uris", rfc7591, func(c *storage.Client) *[]string { return &c.RedirectURIs }),
		authMethod(),
		list("grant_types", rfc7591, func(c *storage.Client) *[]string { return &c.GrantTypes }),
		list("response_types", rfc7591, func(c *storage.Client) *[]string { return &c.ResponseTypes }),
		text("client_name", rfc7591, func(c *storage.Client) *string { return &c.Name }),
		text("client_uri", rfc7591, func(c *storage.Client) *string { return &c.ClientURI }),
		text("logo_uri", rfc7591, func(c *storage.Client) *string { return &c.LogoURI }),
		scope(),
		list("contacts", rfc7591, func(c *storage.Client) *[]string { return &c.Contacts }),
		text("tos_uri", rfc7591, func(c *storage.Client) *string { return &c.TosURI }),
		text("policy_uri", rfc7591, func(c *storage.Client) *string { return &c.PolicyURI }),
		text("jwks_uri", rfc7591, func(c *storage.Client) *string { return &c.JWKSURI }),
		jwks(),
		text("software_id", rfc7591, func(c *storage.Client) *string { return &c.SoftwareID }),
		text("software_version", rfc7591, func(c *storage.Client) *string { return &c.SoftwareVersion }),

		applicationType(),
		text("sector_identifier_uri", oidc, func(c *storage.Client) *string { return &c.SectorIdentifierURI }),
		subjectType(),
		text("id_token_signed_response_alg", oidc, func(c *storage.Client) *string { return &c.IDTokenAlg }),
		text("id_token_encrypted_response_alg", oidc, func(c *storage.Client) *string { return &c.IDTokenEncryptionAlg }),
		text("id_token_encrypted_response_enc", oidc, func(c *storage.Client) *string { return &c.IDTokenEncryptionEnc }),
		text("userinfo_signed_response_alg", oidc, func(c *storage.Client) *string { return &c.UserinfoAlg }),
		text("userinfo_encrypted_response_alg", oidc, func(c *storage.Client) *string { return &c.UserinfoEncryptionAlg }),
		text("userinfo_encrypted_response_enc", oidc, func(c *storage.Client) *string { return &c.UserinfoEncryptionEnc }),
		text("request_object_signing_alg", oidc, func(c *storage.Client) *string { return &c.RequestObjectAlg }),
		text("token_endpoint_auth_signing_alg", oidc, func(c *storage.Client) *string { return &c.AuthSigningAlg }),
		text("initiate_login_uri", oidc, func(c *storage.Client) *string { return &c.InitiateLoginURI }),
		list("request_uris", oidc, func(c *storage.Client) *[]string { return &c.RequestURIs }),

		text("tls_client_auth_subject_dn", rfc8705, func(c *storage.Client) *string { return &c.TLSSubjectDN }),
		text("tls_client_auth_san_dns", rfc8705, func(c *storage.Client) *string { return &c.TLSSANDNS }),
		text("tls_client_auth_san_uri", rfc8705, func(c *storage.Client) *string { return &c.TLSSANURI }),
		text("tls_client_auth_san_ip", rfc8705, func(c *storage.Client) *string { return &c.TLSSANIP }),
		text("tls_client_auth_san_email", rfc8705, func(c *storage.Client) *string { return &c.TLSSANEmail }),
		flag("tls_client_certificate_bound_access_tokens", "RFC 8705 section 3.4", func(c *storage.Client) *bool { return &c.CertificateBound }),
		flag("require_signed_request_object", "RFC 9101 section 10.5", func(c *storage.Client) *bool { return &c.RequireSignedRequestObject }),
		flag("require_pushed_authorization_requests", "RFC 9126 section 6", func(c *storage.Client) *bool { return &c.RequirePushed }),
		flag("dpop_bound_access_tokens", "RFC 9449 section 5.2", func(c *storage.Client) *bool { return &c.DPoPBound }),
		text("authorization_signed_response_alg", "JARM section 3", func(c *storage.Client) *string { return &c.AuthorizationAlg }),
		text("authorization_encrypted_response_alg", "JARM section 3", func(c *storage.Client) *string { return &c.AuthorizationEncryptionAlg }),
		text("authorization_encrypted_response_enc", "JARM section 3", func(c *storage.Client) *string { return &c.AuthorizationEncryptionEnc }),
		text("introspection_signed_response_alg", "RFC 9701 section 6", func(c *storage.Client) *string { return &c.IntrospectionAlg }),

		list("post_logout_redirect_uris", rpLogout, func(c *storage.Client) *[]string { return &c.PostLogoutRedirectURIs }),
		text("backchannel_logout_uri", backLogout, func(c *storage.Client) *string { return &c.BackchannelLogoutURI }),
		flag("backchannel_logout_session_required", backLogout, func(c *storage.Client) *bool { return &c.BackchannelLogoutSessionRequired }),
		text("frontchannel_logout_uri", webLogout, func(c *storage.Client) *string { return &c.FrontchannelLogoutURI }),
		text("backchannel_token_delivery_mode", ciba, func(c *storage.Client) *string { return &c.BackchannelMode }),
		text("backchannel_client_notification_endpoint", ciba, func(c *storage.Client) *string { return &c.BackchannelNotificationEndpoint }),
		text("backchannel_authentication_request_signing_alg", ciba, func(c *storage.Client) *string { return &c.BackchannelRequestAlg }),
		flag("frontchannel_logout_session_required", webLogout, func(c *storage.Client) *bool { return &c.FrontchannelLogoutSessionRequired }),
	}
}

// text is a member that is a setting of the same name.
func text(name, source string, at func(*storage.Client) *string) member {
	return member{name: name, source: source, settings: []string{name},
		set: func(c *storage.Client, value any) string {
			s, ok := value.(string)
			*at(c) = s
			return fault(value != nil && !ok, "must be text")
		},
		get: func(c *storage.Client) any { return *at(c) }}
}

// list is a member that is a setting of the same name.
func list(name, source string, at func(*storage.Client) *[]string) member {
	return member{name: name, source: source, settings: []string{name},
		set: func(c *storage.Client, value any) string {
			values, ok := value.([]any)
			*at(c) = nil
			for _, x := range values {
				s, isText := x.(string)
				ok = ok && isText
				*at(c) = append(*at(c), s)
			}
			return fault(value != nil && !ok, "must be a list of texts")
		},
		get: func(c *storage.Client) any { return *at(c) }}
}

// flag is a member that is a setting of the same name.
func flag(name, source string, at func(*storage.Client) *bool) member {
	return member{name: name, source: source, settings: []string{name},
		set: func(c *storage.Client, value any) string {
			b, ok := value.(bool)
			*at(c) = b
			return fault(value != nil && !ok, "must be true or false")
		},
		get: func(c *storage.Client) any { return *at(c) }}
}

func authMethod() member {
	m := text("token_endpoint_auth_method", rfc7591, func(c *storage.Client) *string { return &c.AuthMethod })
	set := m.set
	m.set = func(c *storage.Client, value any) string {
		f := set(c, value)
		c.Public = c.AuthMethod == "none"
		return f
	}
	m.settings = append(m.settings, "public")
	return m
}

func scope() member {
	return member{name: "scope", source: rfc7591, settings: []string{"scopes"},
		set: func(c *storage.Client, value any) string {
			s, ok := value.(string)
			c.Scopes = nil
			for _, f := range strings.Fields(s) {
				if !slices.Contains(c.Scopes, f) {
					c.Scopes = append(c.Scopes, f)
				}
			}
			return fault(value != nil && !ok, "must be text")
		},
		get: func(c *storage.Client) any { return strings.Join(c.Scopes, " ") }}
}

func jwks() member {
	return member{name: "jwks", source: rfc7591, settings: []string{"jwks"},
		set: func(c *storage.Client, value any) string {
			c.JWKS = nil
			if value == nil {
				return ""
			}
			set, ok := value.(map[string]any)
			text, err := json.Marshal(set)
			c.JWKS = text
			return fault(!ok || err != nil, "must be a JWK Set")
		},
		get: func(c *storage.Client) any { return c.JWKS }}
}

// applicationType is native or web. Left out it is derived, because only OpenID Connect knows it:
// programs that register by RFC 7591 alone would be web applications by its default, and no program
// on a user's machine could choose its port.
func applicationType() member {
	return member{name: "application_type", source: oidc, settings: []string{"native"},
		set: func(c *storage.Client, value any) string {
			c.Native = value == "native" || value == nil && onMachine(c)
			return fault(value != nil && value != "native" && value != "web", "must be native or web")
		},
		get: func(c *storage.Client) any {
			if c.Native {
				return "native"
			}
			return "web"
		}}
}

// onMachine reports whether a client is public and has no redirect URI on the web: it runs on the
// machine of its user.
func onMachine(c *storage.Client) bool {
	return c.Public && len(c.RedirectURIs) > 0 && !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool {
		return strings.HasPrefix(strings.ToLower(uri), "https:")
	})
}

func subjectType() member {
	m := text("subject_type", oidc, func(c *storage.Client) *string { return &c.SubjectType })
	m.get = func(c *storage.Client) any { return cmp.Or(c.SubjectType, "public") }
	return m
}

func fault(when bool, text string) string {
	if when {
		return text
	}
	return ""
}
