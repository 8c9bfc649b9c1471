package clientdocument

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/provider/clientmetadata"
	"sallyport/provider/clients"
	"sallyport/provider/fetch"
	"sallyport/provider/origin"
	"sallyport/storage"
)

const (
	// most is the size of a document in bytes (section 6.6 of the draft).
	most = 5 << 10
	// kept bounds how long a document is used again, and least is how long it is in any case: every
	// page of a login reads it.
	kept, least = time.Hour, 15 * time.Second
	// retry is how soon an invalid document, which is not used, is fetched again.
	retry = 5 * time.Second
)

// Options say which documents are read, and what their clients may do.
type Options struct {
	// Hosts, with a port if it is not 443, that documents may be at; empty: any.
	Hosts []string
	// Scopes and Audience are the scopes and resources that their clients may request.
	Scopes, Audience []string
	MFA              string // their policy; "": OFF
}

// Reader reads clients from documents.
type Reader struct {
	fetcher *fetch.Fetcher
	now     func() time.Time
	options Options
}

// New returns a Reader. Documents are kept apart from what else is fetched.
func New(f *fetch.Fetcher, now func() time.Time, o Options) *Reader {
	return &Reader{fetcher: f.Apart(), now: now, options: o}
}

// IsAddress reports whether a client_id is meant to be the address of a document.
func IsAddress(id storage.ClientID) bool { return strings.HasPrefix(string(id), "https://") }

// Client returns the client with a client_id, from memory or its address. admit, if not nil, is called
// before anything is fetched. The error is a *clients.DocumentError if the address has no document
// that can be used, or that of admit.
func (r *Reader) Client(ctx context.Context, id storage.ClientID, admit func() error) (*clients.Client, error) {
	if fault := r.checkID(string(id)); fault != "" {
		return nil, &clients.DocumentError{Text: fault}
	}
	w := fetch.Want{URL: string(id), Max: most, Least: least, Most: kept, Current: true, Admit: admit}
	d, err := r.fetcher.Get(ctx, w)
	if err != nil {
		return nil, unavailable(err)
	}
	c, err := r.read(id, d)
	if err == nil || r.now().Sub(d.At) < retry {
		return c, err
	}
	if d, err = r.fetcher.Newer(ctx, w, d.At); err != nil {
		return nil, unavailable(err)
	}
	return r.read(id, d)
}

// unavailable returns the error for a document that was not fetched.
func unavailable(err error) error {
	if _, refused := errors.AsType[*mfa.Error](err); refused || errors.Is(err, context.Canceled) {
		return err
	}
	return &clients.DocumentError{Text: "the document at the address of the application can not be fetched", Away: !errors.Is(err, fetch.ErrGone), Err: err}
}

// Known returns the client with a client_id if its document is in memory; nil: it is not.
func (r *Reader) Known(id storage.ClientID) *clients.Client {
	if r.checkID(string(id)) != "" {
		return nil
	}
	d, ok := r.fetcher.Kept(string(id), kept)
	if !ok {
		return nil
	}
	c, err := r.read(id, d)
	if err != nil {
		return nil
	}
	return c
}

// Holder returns a client as far as it is known without its document. That suffices for its tokens, which
// need no redirect URI.
func (r *Reader) Holder(id storage.ClientID) *clients.Client {
	if r.checkID(string(id)) != "" {
		return nil
	}
	return r.client(storage.Client{ID: id, Public: true, AuthMethod: "none", GrantTypes: []string{"authorization_code", "refresh_token"}})
}

// checkID returns what is wrong with the address (section 3 of the draft), or "". It has one spelling: two
// that lead to the same document would be two clients.
func (r *Reader) checkID(id string) string {
	const wrong = "the client_id is no address of a document: "
	u, err := url.Parse(id)
	switch {
	case err != nil || u.Scheme != "https" || u.Opaque != "" || !strings.HasPrefix(id, "https://") || len(id) > clients.MaxID:
		return wrong + "it must be an https URL of at most 255 characters"
	case u.User != nil || strings.ContainsAny(id, `#?\@ `):
		return wrong + "it must have no user, query, fragment, @ or backslash"
	case origin.Of(id) != "https://"+u.Host:
		return wrong + "its host must be in lower case, in ASCII form, without the port 443"
	case len(u.Path) < 2:
		return wrong + "it must have a path"
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return wrong + "it must have no dot segments"
		}
	}
	if len(r.options.Hosts) > 0 && !slices.Contains(r.options.Hosts, u.Host) {
		return "applications of this host are not accepted here"
	}
	return ""
}

// members are those of the metadata that count. Others would let a stranger cause calls, or lead
// browsers elsewhere, without a login.
var members = [...]string{"client_name", "client_uri", "policy_uri", "tos_uri", "redirect_uris", "grant_types", "response_types", "application_type",
	"token_endpoint_auth_method", "token_endpoint_auth_signing_alg", "jwks", "jwks_uri", "dpop_bound_access_tokens"}

// read returns the client that a document describes.
func (r *Reader) read(id storage.ClientID, d fetch.Document) (*clients.Client, error) {
	refuse := func(text string) (*clients.Client, error) {
		return nil, &clients.DocumentError{Text: "the document at the address of the application is not valid: " + text}
	}
	kind, _, err := mime.ParseMediaType(d.Type)
	if err != nil || kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")) {
		return refuse("its type is not application/json")
	}
	object, err := input.Object(d.Body)
	if err != nil {
		return refuse("it is not a JSON object")
	}
	for _, secret := range [...]string{"client_secret", "client_secret_expires_at"} {
		if _, has := object[secret]; has {
			return refuse("it has " + secret)
		}
	}
	if named, _ := object["client_id"].(string); named != string(id) {
		return refuse("its client_id is not the address")
	}
	counts := map[string]any{}
	for _, name := range members {
		if value, has := object[name]; has {
			counts[name] = value
		}
	}
	counts["grant_types"] = supported(object["grant_types"], "authorization_code", "refresh_token")
	counts["response_types"] = supported(object["response_types"], "code")
	if counts["token_endpoint_auth_method"] == nil {
		counts["token_endpoint_auth_method"] = "none" // there is no secret
	}
	rules := clientmetadata.Rules{Scopes: r.options.Scopes, Audience: r.options.Audience, MFA: r.options.MFA}
	c, faults := rules.Read(counts, storage.Client{})
	c.ID = id
	if c.AuthMethod != "none" && c.AuthMethod != "private_key_jwt" {
		return refuse("token_endpoint_auth_method must be none or private_key_jwt")
	}
	if faults = append(faults, clientmetadata.Faults(c)...); len(faults) > 0 {
		return refuse(strings.TrimSpace(faults[0].Field + " " + faults[0].Text))
	}
	return r.client(c), nil
}

// supported leaves out of a list what this server does not have: documents are for every server. What
// is no list is refused later.
func supported(list any, values ...string) any {
	all, ok := list.([]any)
	if !ok {
		return list
	}
	out := []any{}
	for _, value := range all {
		if text, isText := value.(string); !isText || slices.Contains(values, text) {
			out = append(out, value)
		}
	}
	return out
}

// client completes a client. Its host comes first: whoever wrote the document chose the name.
func (r *Reader) client(c storage.Client) *clients.Client {
	u, err := url.Parse(string(c.ID))
	if err != nil {
		return nil
	}
	if c.Name = strings.TrimSpace(c.Name); c.Name != "" {
		c.Name = fmt.Sprintf("%s (%s)", u.Host, c.Name)
	} else {
		c.Name = u.Host
	}
	c.Consent, c.MFA, c.Scopes, c.Audience = "ask", cmp.Or(r.options.MFA, mfa.MFAOff), r.options.Scopes, r.options.Audience
	out := clients.New(c)
	out.Document = true
	return out
}
