package registration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/provider/cache"
	"sallyport/provider/clientkeys"
	"sallyport/provider/clientmetadata"
	"sallyport/provider/clients"
	"sallyport/provider/fetch"
	"sallyport/provider/oauth"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// Who may register a client.
const (
	Off   = "off"
	Token = "token" // whoever has an initial access token
	Open  = "open"  // anybody
)

// Path is that of the registration endpoint. A client's own address is below it.
const Path = "/register"

// Issuer signs software statements (RFC 7591 section 2.3). Its keys are in JWKS or at JWKSURI.
type Issuer struct {
	Name    string // iss
	JWKS    json.RawMessage
	JWKSURI string
}

// Options are the settings of registrations.
type Options struct {
	Issuer string
	Mode   string // Off, Token or Open
	Rules  clientmetadata.Rules
	// Unused is how long a client stays that gets no tokens, and Idle how long after its last ones.
	Unused, Idle time.Duration
	MaxUnused    int // clients that were never used
	Statements   []Issuer
	Fetcher      *fetch.Fetcher
	Keys         *clientkeys.Resolver
	Admit        budget.Admit
	Changed      func() // called after a change of a client, whose record this server may have in memory
	Logger       *slog.Logger
}

// Store is the storage that registrations need.
type Store interface {
	storage.Clients
	storage.Registrations
}

// Service registers clients.
type Service struct {
	store   Store
	journal *audit.Journal
	respond *oauth.Responder
	now     func() time.Time
	random  io.Reader
	options Options
	used    *cache.Cache[storage.ClientID, time.Time] // last uses that were recorded
}

// usesKept bounds the clients whose last use is in memory.
const usesKept = 10_000

// New returns a Service.
func New(store Store, journal *audit.Journal, respond *oauth.Responder, now func() time.Time, random io.Reader, o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{store: store, journal: journal, respond: respond, now: now, random: random, options: o, used: cache.New[storage.ClientID, time.Time](usesKept)}
}

// Enabled reports whether clients may register.
func (s *Service) Enabled() bool { return s.options.Mode == Token || s.options.Mode == Open }

// Register is the registration endpoint (RFC 7591 section 3).
func (s *Service) Register(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	if !s.Enabled() {
		s.respond.Error(w, r, isOff())
		return
	}
	token, e := s.initialToken(r, v)
	if e != nil {
		s.refuse(w, r, e)
		return
	}
	object, e := readObject(r)
	if e == nil {
		e = s.admit(v)
	}
	var out map[string]any
	if e == nil {
		out, e = s.register(r.Context(), v, token, object)
	}
	if e != nil {
		s.refuse(w, r, e)
		return
	}
	oauth.WriteJSON(w, http.StatusCreated, out)
}

// isOff refuses everything on a server where no client registers itself.
func isOff() *oauth.Error {
	return &oauth.Error{Code: "invalid_request", Reason: "not_found", Description: "clients do not register themselves on this server", Status: http.StatusNotFound}
}

// refuse writes an error. A 401 asks for a token (RFC 6750 section 3).
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, e *oauth.Error) {
	if e.Status != http.StatusUnauthorized {
		s.respond.Error(w, r, e)
		return
	}
	challenge := `Bearer realm="` + s.options.Issuer + `"`
	if e.Reason != oauth.NoToken {
		challenge += `, error="` + e.Code + `"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	s.respond.Error(w, r, e)
}

// admit draws on the budget of the caller's network.
func (s *Service) admit(v mfa.Caller) *oauth.Error {
	return limited(s.options.Admit.Spend(v, budget.Registrations, 1))
}

// register adds a client.
func (s *Service) register(ctx context.Context, v mfa.Caller, token storage.RegistrationTokenID, object map[string]any) (map[string]any, *oauth.Error) {
	now := s.now().UTC()
	c, e := s.read(ctx, v, object, storage.Client{})
	if e != nil {
		return nil, e
	}
	access, err := secret.New(s.random)
	if err != nil {
		return nil, oauth.ErrorOf(err)
	}
	c.ID = storage.ClientID(storage.Random128(s.random))
	c.CreatedAt, c.UpdatedAt = now, now
	c.Registration.TokenHash, c.Registration.At, c.Registration.Token, c.Registration.ExpiresAt = secret.Sum(access), now, token, now.Add(s.options.Unused)
	issued, e := s.authenticate(&c)
	if e == nil {
		e = s.judge(ctx, v, c)
	}
	if e != nil {
		return nil, e
	}
	var events []storage.Event
	if token != "" {
		events = []storage.Event{s.event(v, mfa.EventClientRegistered, c, string(token))}
	}
	err = s.store.RegisterClient(ctx, c, s.options.MaxUnused, now, events)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, wrongToken()
	case errors.Is(err, storage.ErrConflict):
		return nil, &oauth.Error{Code: "temporarily_unavailable", Description: "too many clients are registered and were never used; try again later",
			Status: http.StatusServiceUnavailable, RetryAfter: time.Minute}
	case err != nil:
		return nil, oauth.Unavailable(err)
	}
	s.options.Changed()
	return s.describe(c, issued, access), nil
}

// authenticate gives a client a secret that needs one and has none that it can use, and takes it from one
// that needs none. It returns the new secret, or "".
func (s *Service) authenticate(c *storage.Client) (string, *oauth.Error) {
	if clients.TakeSecrets(c, *c) {
		return "", nil
	}
	issued, err := secret.ForClient(s.random)
	if err != nil {
		return "", oauth.ErrorOf(err)
	}
	c.SecretHashes, c.Secrets = nil, nil
	clients.AddSecret(c, issued)
	return issued, nil
}

// judge refuses a client that breaks a rule.
func (s *Service) judge(ctx context.Context, v mfa.Caller, c storage.Client) *oauth.Error {
	if faults := clientmetadata.Faults(c); len(faults) > 0 {
		return invalid(faults)
	}
	return s.checkSector(ctx, v, c)
}

func invalid(faults []clients.Fault) *oauth.Error {
	return oauth.NewError(clientmetadata.Code(faults), clientmetadata.Describe(faults)).About(faults[0].Field)
}

// describe returns a client information response (RFC 7591 section 3.2.1, RFC 7592 section 3). It has a
// secret or token only if it is new.
func (s *Service) describe(c storage.Client, issued, access string) map[string]any {
	out := clientmetadata.Write(c)
	out["client_id"] = c.ID
	out["client_id_issued_at"] = c.Registration.At.Unix()
	out["registration_client_uri"] = s.options.Issuer + Path + "/" + string(c.ID)
	if access != "" {
		out["registration_access_token"] = access
	}
	if issued != "" {
		out["client_secret"] = issued
	}
	if len(c.SecretHashes) > 0 {
		out["client_secret_expires_at"] = 0
	}
	if c.Registration.Statement != "" {
		out["software_statement"] = c.Registration.Statement
	}
	return out
}

// event returns the line of a change.
func (s *Service) event(v mfa.Caller, kind string, c storage.Client, token string) storage.Event {
	e := storage.Event{Kind: kind, ClientID: c.ID, Actor: "registrant"}
	if token != "" {
		e.Detail = map[string]string{"token": token}
	}
	return s.journal.Event(v, e)
}

// Used records that a client that registered itself got tokens, at most once a day, and often enough for
// a short Idle.
func (s *Service) Used(ctx context.Context, c *clients.Client) {
	now := s.now()
	precision := min(24*time.Hour, s.options.Idle/4)
	if c.Registration == nil || now.Sub(c.Registration.UsedAt) < precision {
		return
	}
	last, epoch, known := s.used.Get(c.ID)
	if known && now.Sub(last) < precision {
		return
	}
	// The tokens are issued, even if their client has gone away meanwhile.
	if err := s.store.UseClient(context.WithoutCancel(ctx), c.ID, now, now.Add(s.options.Idle)); err != nil {
		s.options.Logger.WarnContext(ctx, "the use of a client was not recorded", "client", string(c.ID), "error", fmt.Errorf("use client: %w", err))
		return
	}
	s.used.Put(c.ID, now, epoch)
}
