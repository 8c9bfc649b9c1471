package claims

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// Request is a claims parameter (OpenID Connect Core section 5.5).
type Request struct {
	UserInfo map[string]*Claim `json:"userinfo,omitempty"`
	IDToken  map[string]*Claim `json:"id_token,omitempty"`
}

// Claim requests one claim; nil requests it without conditions (section 5.5.1).
type Claim struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}

// maxLength bounds the parameter (O-3).
const maxLength = 4096

var errParameter = errors.New("claims: the parameter does not follow OpenID Connect Core section 5.5")

// Parse parses a claims parameter. Unknown members are ignored, also those that encoding/json would take
// for a known one because only their case is different.
func Parse(text string) (Request, error) {
	if text == "" {
		return Request{}, nil
	}
	if len(text) > maxLength || depth(text) > 16 {
		return Request{}, errParameter
	}
	// The text is stored and parsed again later, so all of it must be JSON.
	var parts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &parts); err != nil || text[0] != '{' {
		return Request{}, errParameter
	}
	var c Request
	for part, named := range map[string]*map[string]*Claim{"userinfo": &c.UserInfo, "id_token": &c.IDToken} {
		if raw, ok := parts[part]; ok && json.Unmarshal(raw, named) != nil {
			return Request{}, errParameter
		}
	}
	return c, nil
}

// depth returns how deep brackets nest, except in strings.
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

// strings returns the requested values that are strings.
func (c *Claim) strings() []string {
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

// ACR returns the requested values of acr, and whether one of them is essential (section 5.5.1.1).
func (c Request) ACR() (names []string, essential bool) {
	claim := c.IDToken["acr"]
	return claim.strings(), claim != nil && claim.Essential
}

// Subject returns the subject that the client requests (section 5.5.1), as it sees it; "" for any.
func (c Request) Subject() string {
	for _, claim := range []*Claim{c.IDToken["sub"], c.UserInfo["sub"]} {
		if s := claim.strings(); len(s) > 0 {
			return s[0]
		}
	}
	return ""
}

// Limit returns a claims parameter without the claims whose scope is not allowed. It has what Parse reads,
// and nothing else.
func Limit(text string, allowed []string) string {
	c, err := Parse(text)
	if err != nil || text == "" {
		return ""
	}
	for _, named := range []map[string]*Claim{c.UserInfo, c.IDToken} {
		maps.DeleteFunc(named, func(name string, _ *Claim) bool {
			scope := ScopeOf(name)
			return scope != "" && !slices.Contains(allowed, scope)
		})
	}
	left, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return string(left)
}
