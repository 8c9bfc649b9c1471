package backend

import (
	"errors"
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/exchange"
	"sallyport/mfa/notice"
	"sallyport/mfa/session"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// Store is the part of storage that a Service uses.
type Store interface {
	storage.Users
	storage.Authenticators
	storage.Sessions
	storage.Statuses
	storage.Throttles
}

// Members of a fingerprint.
const (
	MatchIP        = "ip"
	MatchUserAgent = "user_agent"
)

// Options of a Service.
type Options struct {
	// MatchCodes names the members of a fingerprint that must not differ between the call
	// that sends a code and the one that verifies it.
	MatchCodes []string
	// MatchSessions names those that must not differ between a session and a proof for it.
	MatchSessions []string
	Product       string // the sender named in messages
}

// Service serves backends.
type Service struct {
	store    Store
	verifier *exchange.Verifier
	sessions *session.Registry
	users    *users.Registry
	journal  *audit.Journal
	now      func() time.Time
	random   io.Reader
	o        Options
}

// New returns a Service.
func New(store Store, v *exchange.Verifier, s *session.Registry, u *users.Registry, journal *audit.Journal, now func() time.Time, random io.Reader, o Options) *Service {
	return &Service{store: store, verifier: v, sessions: s, users: u, journal: journal, now: now, random: random, o: o}
}

// AddressError is a refusal about an e-mail address or a phone number: InvalidIdentifier,
// IdentifierTaken or IdentifierNotFound.
type AddressError struct {
	Kind storage.IdentifierKind
	Err  error
}

// Error implements error.
func (e *AddressError) Error() string { return string(e.Kind) + ": " + e.Err.Error() }

// Unwrap returns the refusal.
func (e *AddressError) Unwrap() error { return e.Err }

// KindOf returns the kind of address that an error is about; "": none.
func KindOf(err error) storage.IdentifierKind {
	if e, ok := errors.AsType[*AddressError](err); ok {
		return e.Kind
	}
	return ""
}

// Fingerprint describes the device of the user, as the backend sees it. Empty: unknown.
type Fingerprint struct{ IP, UserAgent string }

// describe returns a caller with the user's device, where it is known, for the audit trail and
// new sessions.
func (f Fingerprint) describe(c mfa.Caller) mfa.Caller {
	c.Address, c.UserAgent = f.IP, f.UserAgent
	return c
}

// member returns a member by its name.
func (f Fingerprint) member(name string) string {
	if name == MatchUserAgent {
		return f.UserAgent
	}
	return f.IP
}

// differs reports whether two fingerprints differ in a member that must match. Members that
// one of them lacks do not count.
func (s *Service) differs(match []string, a, b Fingerprint) bool {
	return slices.ContainsFunc(match, func(name string) bool {
		x, y := a.member(name), b.member(name)
		return x != "" && y != "" && x != y
	})
}

// notice returns a message to a user.
func (s *Service) notice(caller mfa.Caller, a storage.Account, template string, data map[string]string) []storage.Message {
	return notice.New(s.now(), s.random, s.o.Product, caller, &a, template, data)
}
