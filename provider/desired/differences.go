package desired

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"sallyport/mfa/users"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// ClientDifferences compares two clients key by key, except times and secrets. Keys have the
// names of the desired state, which are the record's.
func ClientDifferences(have, want storage.Client) []users.Difference {
	var out []users.Difference
	a, b := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if slices.Contains([]string{"ID", "SecretHashes", "Secrets", "Broken", "Registration", "CreatedAt", "UpdatedAt"}, field.Name) {
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		from, to := settingOf(a.Field(i)), settingOf(b.Field(i))
		if !reflect.DeepEqual(from, to) {
			out = append(out, users.Difference{Key: key, From: from, To: to})
		}
	}
	if from, to := sectorOf(have), sectorOf(want); have.ID != "" && from != to {
		out = append(out, users.Difference{Key: "subjects", From: from, To: to, Warning: "every user of this client gets another subject (sub)"})
	}
	return out
}

// sectorOf returns which subjects a client sees.
func sectorOf(c storage.Client) string {
	if c.SubjectType != clients.Pairwise {
		return "public"
	}
	return "pairwise for " + clients.SectorOf(c)
}

// settingOf returns a value as written in the desired state; nil: left out.
func settingOf(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if s, ok := v.Elem().Interface().(storage.Seconds); ok {
			return s.Duration().String()
		}
		return v.Elem().Interface()
	}
	if v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
		return nil
	}
	if s, ok := v.Interface().(storage.Seconds); ok {
		return s.Duration().String()
	}
	return v.Interface()
}

// sameSecret reports whether a client has the wanted secret. During a rotation it has two, and
// both are kept.
func sameSecret(have, want storage.Client) bool {
	if len(want.SecretHashes) == 0 {
		return len(have.SecretHashes) == 0
	}
	return slices.ContainsFunc(have.SecretHashes, func(h []byte) bool { return bytes.Equal(h, want.SecretHashes[0]) })
}

// newClient converts a client of a desired state for storage.
func newClient(c *Client) storage.Client {
	out := storage.Client{
		ID: storage.ClientID(c.ID), Name: c.Name, Disabled: c.Disabled, Public: c.Public, Native: c.Native,
		AuthMethod: c.AuthMethod, TLSSubjectDN: c.TLSSubjectDN, TLSSANDNS: c.TLSSANDNS, TLSSANURI: c.TLSSANURI, TLSSANIP: c.TLSSANIP, TLSSANEmail: c.TLSSANEmail,
		AuthSigningAlg: c.AuthSigningAlg, JWKSURI: c.JWKSURI, RequestURIs: c.RequestURIs,
		RequestObjectAlg: c.RequestObjectAlg, RequireSignedRequestObject: c.RequireSignedRequestObject, RequirePushed: c.RequirePushed, RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelLogoutSessionRequired: c.BackchannelLogoutSessionRequired,
		FrontchannelLogoutURI: c.FrontchannelLogoutURI, FrontchannelLogoutSessionRequired: c.FrontchannelLogoutSessionRequired,
		BackchannelMode: c.BackchannelMode, BackchannelNotificationEndpoint: c.BackchannelNotificationEndpoint,
		BackchannelRequestAlg: c.BackchannelRequestAlg, BackchannelUnknownUser: c.BackchannelUnknownUser,
		AllowedOrigins: c.AllowedOrigins, GrantTypes: c.GrantTypes, ResponseTypes: c.ResponseTypes, Scopes: c.Scopes,
		DetailsTypes:         c.DetailsTypes,
		ExchangeSubjectTypes: c.ExchangeSubjectTypes, ExchangeSubjectClients: c.ExchangeSubjectClients, ExchangeSubjectAudiences: c.ExchangeSubjectAudiences,
		ExchangeAudiences: c.ExchangeAudiences, ExchangeScopes: c.ExchangeScopes, ExchangeImpersonation: c.ExchangeImpersonation, MayAct: storage.ClientID(c.MayAct),
		Audience: c.Audience, PKCEOptional: c.PKCEOptional, DPoPBound: c.DPoPBound, CertificateBound: c.CertificateBound, Profile: c.Profile,
		MFA: c.MFA, MFAInterval: seconds(c.MFAInterval), MFARemember: seconds(c.MFARemember), AllowedMethods: c.AllowedMethods, PasskeyOffer: c.PasskeyOffer,
		SignUp: c.SignUp, SignUpRequired: c.SignUpRequired, SignUpOptional: c.SignUpOptional, TermsURL: c.TermsURL, TermsVersion: c.TermsVersion,
		Passwordless: c.Passwordless, HeadlessLogin: c.HeadlessLogin, ManagesFactors: c.ManagesFactors, Consent: c.Consent, RequiredScopes: c.RequiredScopes, SilentLogin: c.SilentLogin,
		LoginURL: c.LoginURL, MFAURL: c.MFAURL, LogoURI: c.LogoURI, PolicyURI: c.PolicyURI, TosURI: c.TosURI, SupportURL: c.SupportURL, ClientURI: c.ClientURI,
		SubjectType: c.SubjectType, SectorIdentifierURI: c.SectorIdentifierURI,
		IDTokenEncryptionAlg: c.IDTokenEncryptionAlg, IDTokenEncryptionEnc: c.IDTokenEncryptionEnc, UserinfoAlg: c.UserinfoAlg,
		UserinfoEncryptionAlg: c.UserinfoEncryptionAlg, UserinfoEncryptionEnc: c.UserinfoEncryptionEnc,
		InitiateLoginURI: c.InitiateLoginURI, Contacts: c.Contacts, SoftwareID: c.SoftwareID, SoftwareVersion: c.SoftwareVersion,
		AuthorizationEncryptionAlg: c.AuthorizationEncryptionAlg, AuthorizationEncryptionEnc: c.AuthorizationEncryptionEnc,
		IDTokenAlg: c.IDTokenAlg, AuthorizationAlg: c.AuthorizationAlg, IntrospectionAlg: c.IntrospectionAlg, IDTokenClaims: c.IDTokenClaims, AccessTokenFormat: c.AccessTokenFormat, AccessTokenTTL: seconds(c.AccessTokenTTL),
		RefreshTokenIdleTTL: seconds(c.RefreshIdleTTL), RefreshTokenTTL: seconds(c.RefreshTTL),
		LogoutEndsOffline: c.LogoutEndsOffline, LegacyResponseTypes: c.LegacyTypes,
	}
	if c.RefreshGrace != nil {
		grace := seconds(*c.RefreshGrace)
		out.RefreshGrace = &grace
	}
	if len(c.JWKS) > 0 {
		text, err := json.Marshal(c.JWKS)
		if err != nil {
			text = []byte("null") // clients.Faults refuses it
		}
		out.JWKS = text
	}
	if c.Secret != "" {
		clients.AddSecret(&out, c.Secret)
	}
	if c.SecretSHA256 != "" {
		sum, err := hex.DecodeString(c.SecretSHA256)
		if err != nil {
			sum = nil // clients.Faults refuses it
		}
		out.SecretHashes = [][]byte{sum}
	}
	clients.SetDefaults(&out)
	return out
}

func seconds(d time.Duration) storage.Seconds { return storage.Seconds(d / time.Second) }

// draftDifferences returns the values of a new user, without secrets.
func draftDifferences(d users.Draft) []users.Difference {
	var out []users.Difference
	value := func(key string, given bool, v any) {
		if given {
			out = append(out, users.Difference{Key: key, To: v})
		}
	}
	secret := func(key string, given bool) {
		if given {
			out = append(out, users.Difference{Key: key, Secret: true})
		}
	}
	value("id", d.ID != "", d.ID)
	value("username", d.Username != "", d.Username)
	value("email", d.Email != "", d.Email)
	value("email_verified", d.EmailVerified, true)
	value("phone_number", d.Phone != "", d.Phone)
	value("phone_number_verified", d.PhoneVerified, true)
	value("roles", len(d.Roles) > 0, d.Roles)
	value("profile", len(d.Profile) > 0, d.Profile)
	value("mfa_enabled", d.MFAEnabled, true)
	value("status", d.Status != "", d.Status)
	secret("password", d.Password != "")
	secret("password_hash", d.PasswordHash != "")
	secret("totp_secret", d.TOTPSecret != "")
	secret("recovery_codes", len(d.RecoveryCodes) > 0)
	return out
}
