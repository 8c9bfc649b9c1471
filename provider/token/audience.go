package token

import (
	"bytes"
	"encoding/json"
)

// Audience is the claim aud: a string or, for several values, a list (RFC 7519
// section 4.1.3).
type Audience []string

// MarshalJSON writes a single audience as a string, which simple clients expect.
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON reads both forms.
func (a *Audience) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte{'"'}) {
		*a = make(Audience, 1)
		return json.Unmarshal(b, &(*a)[0])
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	*a = many
	return nil
}
