package clientmetadata

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"sallyport/input"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// Row is a member of client metadata, and the client settings that it sets.
type Row struct {
	Name, Source string
	Settings     []string
}

// Table returns every member that a client may have, in the order of documents.
func Table() []Row {
	var out []Row
	for _, m := range members() {
		out = append(out, Row{m.name, m.source, m.settings})
	}
	return out
}

// Rules bound clients that no operator registered.
type Rules struct {
	Scopes   []string // the scopes that they may request
	Audience []string // the resources that they may request (RFC 8707)
	MFA      string   // their policy; "": OFF
	// ClientCredentials lets confidential clients have that grant.
	ClientCredentials bool
	// Algorithms returns those that the server has signing keys for; nil: every one.
	Algorithms func() []string
}

// Read returns a client with the metadata in a JSON object, as input.Object reads it, and what is wrong
// with it. Its ID and secret are the caller's to set; Faults then judges it. Members that are null are
// left out, and unknown ones ignored (RFC 7591 section 2), such as names in other languages.
//
// have is the client that the metadata replaces, or a zero Client: its settings that are the
// operator's alone stay, with scopes and grants that the operator added.
func (r Rules) Read(object map[string]any, have storage.Client) (storage.Client, []clients.Fault) {
	c := have
	var faults []clients.Fault
	for _, m := range members() {
		if text := m.set(&c, object[m.name]); text != "" {
			faults = append(faults, clients.Fault{Field: m.name, Text: text})
		}
	}
	if have.ID == "" {
		c.Consent, c.MFA, c.Audience = "ask", r.MFA, r.Audience
	}
	clients.SetDefaults(&c)
	asked := c.Scopes
	c.Scopes = slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return !slices.Contains(r.Scopes, s) && !slices.Contains(have.Scopes, s) })
	switch {
	case len(asked) == 0:
		c.Scopes = r.Scopes
	case len(c.Scopes) == 0:
		faults = append(faults, clients.Fault{Field: "scope", Text: "has no scope that such clients may request: " + strings.Join(r.Scopes, " ")})
	}
	for _, grant := range c.GrantTypes {
		if !r.mayHave(grant) && !slices.Contains(have.GrantTypes, grant) {
			faults = append(faults, clients.Fault{Field: "grant_types", Text: "must not have " + grant})
		}
	}
	if r.Algorithms != nil {
		faults = append(faults, clients.UnsignedFaults(c, r.Algorithms())...)
	}
	if have.ID != "" && (c.SubjectType == clients.Pairwise) != (have.SubjectType == clients.Pairwise) {
		// Whoever knows the subjects of both types tells which are one user.
		faults = append(faults, clients.Fault{Field: "subject_type", Text: "cannot change"})
	}
	return c, faults
}

const (
	maxURIs = 50  // addresses of a client in each of its lists
	maxName = 100 // characters
)

// mayHave reports whether clients may give themselves a grant type. A stranger who sends a code of a device
// needs no page of its own to get a person's approval (RFC 8628 section 5.4), one who could ask users to
// sign in would not even need the code, and token exchange is a policy of the operator.
func (r Rules) mayHave(grant string) bool {
	switch grant {
	case "client_credentials":
		return r.ClientCredentials
	case clients.DeviceCode, clients.CIBA, clients.TokenExchange:
		return false
	}
	return true
}

// Faults returns everything that is wrong with a client that no operator registered, by members of its
// metadata.
func Faults(c storage.Client) []clients.Fault {
	out := clients.Faults(c)
	if utf8.RuneCountInString(c.Name) > maxName || input.Unseen(c.Name) {
		out = append(out, clients.Fault{Field: "client_name", Text: "must be at most 100 characters that can be seen"})
	}
	for field, uri := range map[string]string{"logo_uri": c.LogoURI, "policy_uri": c.PolicyURI, "tos_uri": c.TosURI, "client_uri": c.ClientURI} {
		// Browsers load or open these, so they must not lead to a program on the machine of a user.
		if u, err := url.Parse(uri); uri != "" && (err != nil || u.Scheme != "https") {
			out = append(out, clients.Fault{Field: field, Text: "must be an https address"})
		}
	}
	for field, uris := range map[string][]string{"redirect_uris": c.RedirectURIs, "post_logout_redirect_uris": c.PostLogoutRedirectURIs, "request_uris": c.RequestURIs} {
		if len(uris) > maxURIs {
			out = append(out, clients.Fault{Field: field, Text: "has too many addresses"})
		}
	}
	for i, f := range out {
		out[i].Field = nameOf(f.Field)
	}
	slices.SortStableFunc(out, func(a, b clients.Fault) int { return strings.Compare(a.Field, b.Field) })
	return slices.Compact(out)
}

// nameOf returns the member that sets the setting of a fault.
func nameOf(field string) string {
	setting, _, _ := strings.Cut(field, "[")
	for _, m := range members() {
		if m.name != setting && slices.Contains(m.settings, setting) {
			return m.name
		}
	}
	return field
}

// Write returns the metadata of a client, as registration responses have it (RFC 7591 section 3.2.1).
func Write(c storage.Client) map[string]any {
	out := map[string]any{}
	for _, m := range members() {
		switch value := m.get(&c).(type) {
		case string:
			if value != "" {
				out[m.name] = value
			}
		case []string:
			if len(value) > 0 {
				out[m.name] = value
			}
		case bool:
			if value {
				out[m.name] = value
			}
		case json.RawMessage:
			if len(value) > 0 {
				out[m.name] = value
			}
		}
	}
	return out
}

// Code returns the error code for a client with these faults (RFC 7591 section 3.2.2).
func Code(faults []clients.Fault) string {
	if slices.ContainsFunc(faults, func(f clients.Fault) bool { return strings.HasPrefix(f.Field, "redirect_uris") }) {
		return "invalid_redirect_uri"
	}
	return "invalid_client_metadata"
}

// Describe returns the faults as an error description.
func Describe(faults []clients.Fault) string {
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = strings.TrimSpace(f.Field + " " + f.Text)
	}
	return strings.Join(texts, "; ")
}
