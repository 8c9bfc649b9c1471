package backend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"sallyport/input"
	"sallyport/storage"
)

// Bounds of what backends attach to a user, as Stytch documents them for metadata and
// external IDs.
const (
	maxMetadata   = 4096 // bytes of an object
	maxKeys       = 20   // on its top level
	maxExternalID = 128
	maxName       = 255 // bytes of a part of a name
)

// Name holds the parts of a name (claims given_name, middle_name and family_name). Nil:
// unchanged, or empty for a new user.
type Name struct{ First, Middle, Last *string }

// NameOf returns the parts of a user's name; "" where unset.
func NameOf(u storage.User) (first, middle, last string) {
	part := func(claim string) string { s, _ := u.Profile[claim].(string); return s }
	return part("given_name"), part("middle_name"), part("family_name")
}

// merged returns a profile with the parts of a name. It keeps other claims.
func (n Name) merged(profile map[string]any) (map[string]any, error) {
	out := maps.Clone(profile)
	if out == nil {
		out = map[string]any{}
	}
	for claim, part := range map[string]*string{"given_name": n.First, "middle_name": n.Middle, "family_name": n.Last} {
		switch {
		case part == nil:
		case *part == "":
			delete(out, claim)
		case len(*part) > maxName:
			return nil, invalid(fmt.Sprintf("part of a name is not text of at most %d bytes", maxName))
		case !input.Shown(*part):
			return nil, invalid("part of a name " + input.NameFault)
		default:
			out[claim] = *part
		}
	}
	return out, nil
}

// Metadata is what backends attach to a user.
type Metadata struct {
	Trusted    map[string]json.RawMessage `json:"trusted,omitempty"`
	Untrusted  map[string]json.RawMessage `json:"untrusted,omitempty"`
	ExternalID string                     `json:"external_id,omitempty"`
}

// MetadataOf returns a user's metadata.
func MetadataOf(u storage.User) Metadata {
	var m Metadata
	if len(u.Metadata) > 0 && json.Unmarshal(u.Metadata, &m) != nil {
		return Metadata{} // written by another program
	}
	return m
}

// merged returns metadata with a change.
func (m Metadata) merged(c Change) Metadata {
	m.Trusted, m.Untrusted = mergeKeys(m.Trusted, c.Trusted), mergeKeys(m.Untrusted, c.Untrusted)
	if c.ExternalID != nil {
		m.ExternalID = *c.ExternalID
	}
	return m
}

// mergeKeys returns an object with the keys of a change, of which null removes one.
func mergeKeys(object, change map[string]json.RawMessage) map[string]json.RawMessage {
	out := maps.Clone(object)
	if out == nil {
		out = map[string]json.RawMessage{}
	}
	maps.Copy(out, change)
	maps.DeleteFunc(out, func(_ string, v json.RawMessage) bool { return len(v) == 0 || string(bytes.TrimSpace(v)) == "null" })
	return out
}

// encoded returns metadata as it is stored. InvalidRequest: it is too large.
func (m Metadata) encoded() (json.RawMessage, error) {
	m.Trusted, m.Untrusted = mergeKeys(nil, m.Trusted), mergeKeys(nil, m.Untrusted)
	for _, object := range []map[string]json.RawMessage{m.Trusted, m.Untrusted} {
		text, err := json.Marshal(object)
		if err != nil {
			return nil, invalid("metadata is not a JSON object")
		}
		if len(text) > maxMetadata || len(object) > maxKeys {
			return nil, invalid(fmt.Sprintf("metadata has more than %d bytes or %d keys", maxMetadata, maxKeys))
		}
	}
	if len(m.ExternalID) > maxExternalID || strings.ContainsFunc(m.ExternalID, func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return nil, invalid(fmt.Sprintf("external ID is not 1 to %d letters, digits, '.', '_' or '-'", maxExternalID))
	}
	if len(m.Trusted)+len(m.Untrusted)+len(m.ExternalID) == 0 {
		return json.RawMessage("{}"), nil
	}
	return json.Marshal(m)
}
