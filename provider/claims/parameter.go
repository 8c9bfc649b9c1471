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

// Parse parses a claims parameter. Unknown members are ignored.
func Parse(text string) (Request, error) {
	var c Request
	if text == "" {
		return c, nil
	}
	if len(text) > maxLength || depth(text) > 16 {
		return c, errParameter
	}
	// The text is stored and parsed again later, so all of it must be JSON.
	if err := json.Unmarshal([]byte(text), &c); err != nil || text[0] != '{' {
		return Request{}, errParameter
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

// Limit returns a claims parameter without the claims whose scope is not allowed. Others stay as they
// were sent.
func Limit(text string, allowed []string) string {
	var parts map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &parts) != nil {
		return text
	}
	for part, raw := range parts {
		var named map[string]json.RawMessage
		if part != "userinfo" && part != "id_token" || json.Unmarshal(raw, &named) != nil {
			continue
		}
		maps.DeleteFunc(named, func(name string, _ json.RawMessage) bool {
			scope := ScopeOf(name)
			return scope != "" && !slices.Contains(allowed, scope)
		})
		if left, err := json.Marshal(named); err == nil {
			parts[part] = left
		}
	}
	left, err := json.Marshal(parts)
	if err != nil {
		return text
	}
	return string(left)
}
