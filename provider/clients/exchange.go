package clients

import (
	"fmt"
	"net/url"
	"slices"
)

// maxExchange bounds each list of a policy of token exchange.
const maxExchange = 100

// checkExchange checks the policy of token exchange (RFC 8693).
func (k *checker) checkExchange(exchanges bool) {
	const belongs = "belongs to the grant type " + TokenExchange
	k.fault(exchanges && k.Public, "grant_types", TokenExchange+" is for confidential clients: anybody could exchange a stolen token")
	for _, list := range []struct {
		field  string
		values []string
		needed bool
		valid  func(string) bool
		text   string
	}{
		{"token_exchange_subject_types", k.ExchangeSubjectTypes, false, func(s string) bool { return s == "access_token" || s == "id_token" }, "must be one of access_token, id_token"},
		{"token_exchange_subject_clients", k.ExchangeSubjectClients, true, validID.MatchString, "is not a client_id"},
		{"token_exchange_subject_audiences", k.ExchangeSubjectAudiences, false, audience, audienceFault},
		{"token_exchange_audiences", k.ExchangeAudiences, true, audience, audienceFault},
		{"token_exchange_scopes", k.ExchangeScopes, false, scope, "is not a scope of a resource (RFC 6749 section 3.3)"},
	} {
		k.fault(!exchanges && len(list.values) > 0, list.field, belongs)
		k.fault(exchanges && list.needed && len(list.values) == 0, list.field, "is required for the grant type "+TokenExchange)
		k.fault(len(list.values) > maxExchange, list.field, fmt.Sprintf("must have at most %d entries", maxExchange))
		for i, v := range list.values {
			k.fault(!list.valid(v), fmt.Sprintf("%s[%d]", list.field, i), list.text)
		}
	}
	k.fault(!exchanges && k.ExchangeImpersonation, "token_exchange_impersonation", belongs)
	k.fault(k.MayAct != "" && !validID.MatchString(string(k.MayAct)), "may_act", "is not a client_id")
}

const audienceFault = "must be an absolute URI without fragment, or a client_id"

// audience reports whether a value may be the audience of a token.
func audience(v string) bool {
	u, err := url.Parse(v)
	return validID.MatchString(v) && err == nil && u.Fragment == "" && u.User == nil
}

// scope reports whether a value may be a scope of an exchanged token. These two are of a login.
func scope(v string) bool { return validScope.MatchString(v) && v != "openid" && v != "offline_access" }

// MayExchange reports whether the client may present tokens of a type, such as access_token.
func (c *Client) MayExchange(typ string) bool {
	if len(c.ExchangeSubjectTypes) == 0 {
		return typ == "access_token"
	}
	return slices.Contains(c.ExchangeSubjectTypes, typ)
}
