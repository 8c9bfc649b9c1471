package clients

import "strings"

// LegacyResponseTypes are the response types that return tokens from the authorization
// endpoint, each in every order of its values.
var LegacyResponseTypes = []string{"token", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}

// ResponseTypes is a response_type as a set (OAuth 2.0 Multiple Response Types section 3). The
// zero value is the code flow. The others are the implicit and hybrid flows (OpenID Connect
// Core sections 3.2 and 3.3): tokens pass through the URL, so only clients that registered them
// may use them, and only if the server allows it (G-25).
type ResponseTypes struct{ Code, Token, IDToken bool }

// Legacy reports whether the authorization endpoint returns tokens.
func (t ResponseTypes) Legacy() bool { return t.Token || t.IDToken }

// ParseResponseTypes parses a legacy response_type. It returns false for all others.
func ParseResponseTypes(text string) (ResponseTypes, bool) {
	var t ResponseTypes
	for value := range strings.SplitSeq(text, " ") {
		field, known := map[string]*bool{"code": &t.Code, "token": &t.Token, "id_token": &t.IDToken}[value]
		if !known || *field {
			return ResponseTypes{}, false
		}
		*field = true
	}
	return t, t.Legacy()
}

// MayUseResponseTypes reports whether the client registered a legacy response type.
func (c *Client) MayUseResponseTypes(t ResponseTypes) bool {
	for _, text := range c.Client.LegacyResponseTypes {
		if registered, ok := ParseResponseTypes(text); ok && registered == t {
			return true
		}
	}
	return false
}

// returnsToken reports whether the response of a legacy response type has an access token.
func returnsToken(text string) bool {
	t, _ := ParseResponseTypes(text)
	return t.Token
}

// returnsIDToken reports whether the response of a legacy response type has an ID token.
func returnsIDToken(text string) bool {
	t, _ := ParseResponseTypes(text)
	return t.IDToken
}

// IssuesCode reports whether the response has a code.
func (t ResponseTypes) IssuesCode() bool { return !t.Legacy() || t.Code }
