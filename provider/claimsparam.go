package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"sallyport/provider/oauth"
	"sallyport/storage"
)

// claimsRequest is the claims parameter (OpenID Connect Core section 5.5).
type claimsRequest struct {
	UserInfo map[string]*claimRequest `json:"userinfo,omitempty"`
	IDToken  map[string]*claimRequest `json:"id_token,omitempty"`
}

// claimRequest is one individual claim; nil asks for it plainly (section 5.5.1).
type claimRequest struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}

var errClaims = errors.New("provider: the claims parameter is not what OpenID Connect Core section 5.5 says")

// parseClaims reads a claims parameter. Members we do not know are ignored.
func parseClaims(text string) (claimsRequest, error) {
	var c claimsRequest
	if text == "" {
		return c, nil
	}
	if len(text) > maxClaims || depth(text) > 16 {
		return c, errClaims
	}
	// The text itself is kept and told on: all of it has to be JSON, to the last byte.
	if err := json.Unmarshal([]byte(text), &c); err != nil || text[0] != '{' {
		return claimsRequest{}, errClaims
	}
	return c, nil
}

// depth is how deep brackets nest; strings are skipped.
func depth(text string) int {
	deepest, level, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if level++; level > deepest {
				deepest = level
			}
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// strings returns the values a claim was asked for with, as far as they are text.
func (c *claimRequest) strings() []string {
	if c == nil {
		return nil
	}
	var out []string
	for _, raw := range append([]json.RawMessage{c.Value}, c.Values...) {
		var s string
		if len(raw) > 0 && json.Unmarshal(raw, &s) == nil && s != "" {
			out = append(out, s)
		}
	}
	return out
}

// acr returns the levels asked for by name, and whether one of them is a must (section 5.5.1.1).
func (c claimsRequest) acr() (names []string, essential bool) {
	asked := c.IDToken["acr"]
	return asked.strings(), asked != nil && asked.Essential
}

// subject is whom the client wants to be signed in (section 5.5.1); "" is anyone.
func (c claimsRequest) subject() storage.UserID {
	for _, asked := range []*claimRequest{c.IDToken["sub"], c.UserInfo["sub"]} {
		if s := asked.strings(); len(s) > 0 {
			return storage.UserID(s[0])
		}
	}
	return ""
}

// checkClaims reads the claims parameter. An essential acr of which we know no value
// can never be met, whoever signs in.
func (p *Provider) checkClaims(_ context.Context, r *request, values url.Values) *oauth.Error {
	c, err := parseClaims(values.Get("claims"))
	if err != nil {
		return oauth.NewError("invalid_request", "claims is not an object as OpenID Connect describes it")
	}
	r.claims = c
	r.hint = c.subject()
	names, essential := c.acr()
	if len(names) > oauth.MaxValues {
		return oauth.NewError("invalid_request", "a list is too long")
	}
	if !essential || len(names) == 0 {
		return nil
	}
	for _, name := range names {
		if rank(p.level(name)) > 0 {
			return nil
		}
	}
	return oauth.NewError("unmet_authentication_requirements", "no such acr is known here")
}
