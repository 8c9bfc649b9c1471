package registration

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/provider/oauth"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// Manage is the configuration endpoint of a client (RFC 7592 section 2): GET reads its registration, PUT
// replaces it, DELETE ends it.
func (s *Service) Manage(w http.ResponseWriter, r *http.Request, v mfa.Caller, id storage.ClientID) {
	if !s.Enabled() {
		s.respond.Error(w, r, isOff())
		return
	}
	c, e := s.registrant(r, v, id)
	if e != nil {
		s.refuse(w, r, e)
		return
	}
	status, body := http.StatusOK, map[string]any(nil)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		body = s.describe(c, "", "")
	case http.MethodPut:
		body, e = s.update(r, v, c)
	case http.MethodDelete:
		status, e = http.StatusNoContent, s.remove(r.Context(), v, c)
	}
	switch {
	case e != nil:
		s.refuse(w, r, e)
	case status == http.StatusNoContent:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
	default:
		oauth.WriteJSON(w, status, body)
	}
}

// registrant returns the client whose registration access token a request presents. A client that does
// not exist, is disabled, or was registered by an operator is refused as a wrong token is (RFC 7592
// section 2): the addresses are no list of clients.
func (s *Service) registrant(r *http.Request, v mfa.Caller, id storage.ClientID) (storage.Client, *oauth.Error) {
	presented, e := s.presented(r, v)
	if e != nil {
		return storage.Client{}, e
	}
	c, err := s.store.Client(r.Context(), id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return c, wrongToken()
	case err != nil:
		return c, oauth.Unavailable(err)
	case c.Registration == nil || c.Disabled || !secret.Matches([][]byte{c.Registration.TokenHash}, secret.Sum(presented)):
		return storage.Client{}, wrongToken()
	}
	return c, nil
}

// initialToken returns the initial access token of a request; "": it has none and needs none. The
// registration spends it.
func (s *Service) initialToken(r *http.Request, v mfa.Caller) (storage.RegistrationTokenID, *oauth.Error) {
	if len(r.Header.Values("Authorization")) == 0 && s.options.Mode == Open {
		return "", nil
	}
	presented, e := s.presented(r, v)
	if e != nil {
		return "", e
	}
	t, err := s.store.RegistrationToken(r.Context(), secret.Sum(presented))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return "", wrongToken()
	case err != nil:
		return "", oauth.Unavailable(err)
	case !t.ExpiresAt.After(s.now()) || t.Uses >= t.MaxUses:
		return "", wrongToken()
	}
	return t.ID, nil
}

// presented returns the token of a request. It may be a guess, so it draws on the budget of its network.
func (s *Service) presented(r *http.Request, v mfa.Caller) (string, *oauth.Error) {
	presented, e := oauth.AccessToken(r)
	if e != nil {
		return "", e
	}
	if presented.Token == "" || presented.DPoP {
		return "", noToken()
	}
	return presented.Token, s.admit(v)
}

func noToken() *oauth.Error {
	return oauth.NewError("invalid_token", "an access token is required in the Authorization header").Because(oauth.NoToken)
}

func wrongToken() *oauth.Error {
	return oauth.NewError("invalid_token", "the access token is unknown, expired, used up or revoked").Because(oauth.UnknownToken)
}

// update replaces the metadata of a client and its registration access token. Of any number of requests
// with one token, on any number of servers, one gets through.
func (s *Service) update(r *http.Request, v mfa.Caller, have storage.Client) (map[string]any, *oauth.Error) {
	object, e := readObject(r)
	if e == nil {
		e = checkIdentity(object, have)
	}
	if e != nil {
		return nil, e
	}
	ctx := r.Context()
	c, e := s.read(ctx, v, object, have)
	if e != nil {
		return nil, e
	}
	access, err := secret.New(s.random)
	if err != nil {
		return nil, oauth.ErrorOf(err)
	}
	c.Registration.TokenHash = secret.Sum(access)
	c.UpdatedAt = s.after(have.UpdatedAt)
	issued, e := s.authenticate(&c)
	if e == nil {
		e = s.judge(ctx, v, c)
	}
	if e != nil {
		return nil, e
	}
	forget := isAnother(have, c)
	if forget {
		c.Consent = "ask" // the operator trusted the client that it was
	}
	err = s.store.ReplaceRegistration(ctx, c, have.UpdatedAt, forget, s.lines(v, mfa.EventClientChanged, have))
	if errors.Is(err, storage.ErrConflict) {
		return nil, wrongToken() // another request has replaced it, or the client is gone
	}
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	s.options.Changed()
	return s.describe(c, issued, access), nil
}

// after returns the time of a change: later than the one before, even if the clock was set back, for it
// is what concurrent changes are told apart by.
func (s *Service) after(before time.Time) time.Time {
	now := s.now().UTC()
	if least := before.Add(time.Microsecond); now.Before(least) {
		return least
	}
	return now
}

// isAnother reports whether users would see another client than they allowed: one with another name, or
// that sends them to a host where it did not.
func isAnother(have, c storage.Client) bool {
	if have.Name != c.Name {
		return true
	}
	known := map[string]bool{}
	for _, uri := range have.RedirectURIs {
		known[placeOf(uri)] = true
	}
	return slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return !known[placeOf(uri)] })
}

// placeOf returns what a redirect URI leads to: a scheme, and a host if it has one.
func placeOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname())
}

// checkIdentity checks the members of a PUT that are no metadata (RFC 7592 section 2.2).
func checkIdentity(object map[string]any, have storage.Client) *oauth.Error {
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if _, sent := object[name]; sent {
			return oauth.NewError("invalid_request", name+" must be left out").About(name)
		}
	}
	if object["client_id"] != string(have.ID) {
		return oauth.NewError("invalid_request", "client_id must be that of the client").About("client_id")
	}
	if sent, ok := object["client_secret"]; ok && sent != nil {
		if text, _ := sent.(string); !secret.Matches(have.SecretHashes, secret.Sum(text)) {
			return oauth.NewError("invalid_request", "client_secret must be that of the client, or left out").About("client_secret")
		}
	}
	return nil
}

// remove deletes a client with its grants, codes and consents. It is disabled first, by a statement that
// names the version whose token was presented: of a PUT and a DELETE with one token one gets through.
func (s *Service) remove(ctx context.Context, v mfa.Caller, have storage.Client) *oauth.Error {
	c := have
	c.Disabled, c.UpdatedAt = true, s.after(have.UpdatedAt)
	err := s.store.ReplaceClient(ctx, c, have.UpdatedAt, s.lines(v, mfa.EventClientDeleted, have))
	if errors.Is(err, storage.ErrConflict) {
		return wrongToken()
	}
	if err != nil {
		return oauth.Unavailable(err)
	}
	s.options.Changed()
	// The token is spent. If this is interrupted, the client stays disabled until it expires.
	err = s.store.DeleteClient(context.WithoutCancel(ctx), c.ID, nil)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return oauth.Unavailable(err)
	}
	s.options.Changed()
	return nil
}

// lines are those of a change in the audit trail: none for a client of a stranger that nobody has used,
// or strangers could fill it.
func (s *Service) lines(v mfa.Caller, kind string, c storage.Client) []storage.Event {
	if c.Registration.Token == "" && c.Registration.UsedAt.IsZero() {
		return nil
	}
	return []storage.Event{s.event(v, kind, c, "")}
}
