// Package session manages browser sessions of users, and the devices they are remembered on.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/device"
	"sallyport/storage"
	"sallyport/storage/seal"
)

const (
	tokenUse = "session"
	// lastSeenInterval is the precision of LastSeenAt, which bounds its writes.
	lastSeenInterval = 30 * time.Second
	maxUnwritten     = 50_000
)

// SignedIn is an active session with its account.
type SignedIn struct {
	Session storage.Session
	Account storage.Account
}

// Options limit the life of a session. Zero values mean 30 minutes idle and 12 hours in total.
type Options struct{ Idle, Max time.Duration }

// Store is the storage that a Registry needs.
type Store interface {
	storage.Sessions
	storage.RememberedDevices
}

// Registry loads, creates and ends sessions. A session's token is derived from its ID and
// generation and not stored.
type Registry struct {
	store   Store
	keyring *seal.Keyring
	journal *audit.Journal
	now     func() time.Time
	random  io.Reader
	o       Options

	mu       sync.Mutex
	lastSeen map[storage.SessionID]time.Time
}

// New returns a Registry. Its Run writes when sessions were last seen.
func New(store Store, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time, random io.Reader, o Options) *Registry {
	o.Idle = cmp.Or(o.Idle, 30*time.Minute)
	o.Max = cmp.Or(o.Max, 12*time.Hour)
	return &Registry{store: store, keyring: keyring, journal: journal, now: now, random: random, o: o,
		lastSeen: map[storage.SessionID]time.Time{}}
}

// Load returns the session of a token. It returns nil without an error if the token is
// malformed or of an older generation, the session has ended or expired or the user may not sign in.
func (s *Registry) Load(ctx context.Context, token string) (*SignedIn, error) {
	raw, generation, ok := s.keyring.OpenToken(tokenUse, token)
	if !ok {
		return nil, nil
	}
	return s.live(ctx, storage.FromBytes[storage.SessionID](raw), func(x storage.Session) bool { return x.Generation == int64(generation) })
}

// ByID is Load by the ID of a session, for callers who need not prove that they hold it.
func (s *Registry) ByID(ctx context.Context, id storage.SessionID) (*SignedIn, error) {
	return s.live(ctx, id, func(storage.Session) bool { return true })
}

func (s *Registry) live(ctx context.Context, id storage.SessionID, accept func(storage.Session) bool) (*SignedIn, error) {
	now := s.now()
	session, account, err := s.store.Session(ctx, id, now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	idle := !session.IdleUntil.IsZero() && !session.IdleUntil.After(now)
	if idle || !account.User.In() || !accept(session) {
		return nil, nil
	}
	s.markSeen(session, now)
	return &SignedIn{Session: session, Account: account}, nil
}

// Lapsed returns the session of the caller's cookie even if it has expired, so that it can be ended; it
// signs nobody in. It returns nil without an error where Load does for another reason.
func (s *Registry) Lapsed(ctx context.Context, v mfa.Caller) (*SignedIn, error) {
	raw, generation, ok := s.keyring.OpenToken(tokenUse, v.Session)
	if !ok || v.Browser == "" {
		return nil, nil
	}
	return s.kept(ctx, storage.FromBytes[storage.SessionID](raw), func(x storage.Session) bool { return x.Generation == int64(generation) })
}

// Named returns a session of a user that an application names, even if it has expired, so that it can be
// ended; it signs nobody in. It returns nil without an error if there is none.
func (s *Registry) Named(ctx context.Context, id storage.SessionID, user storage.UserID) (*SignedIn, error) {
	if id == "" {
		return nil, nil
	}
	return s.kept(ctx, id, func(x storage.Session) bool { return x.UserID == user })
}

// kept returns a session that the store still has.
func (s *Registry) kept(ctx context.Context, id storage.SessionID, accept func(storage.Session) bool) (*SignedIn, error) {
	x, account, err := s.store.Session(ctx, id, time.Time{})
	if errors.Is(err, storage.ErrNotFound) || err == nil && !accept(x) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	return &SignedIn{Session: x, Account: account}, nil
}

// Token returns the token of a session and its generation: 64 letters and digits.
func (s *Registry) Token(x storage.Session) string {
	id, ok := storage.Bytes(x.ID)
	if !ok || x.Generation < 0 || x.Generation > math.MaxUint32 {
		return ""
	}
	return s.keyring.Token(tokenUse, id, uint32(x.Generation))
}

// ForLogin returns the session to store at the end of a login, whether it is new, and the
// session to end. The user's current session gets the new proofs and a new generation, which
// invalidates older tokens; without new proofs it is returned unchanged and need not be
// stored. The current session of another user ends.
func (s *Registry) ForLogin(current *SignedIn, request storage.AuthRequest, user storage.UserID, factors []storage.Factor, v mfa.Caller) (storage.Session, bool, storage.SessionID) {
	now := s.now()
	if current != nil && current.Session.UserID == user {
		return s.addProofs(current.Session, factors, request, v, now), false, ""
	}
	fresh := storage.Session{ID: storage.SessionID(storage.TimeOrdered(now, s.random)), UserID: user, Origin: "browser",
		Factors: slices.Clone(factors), Generation: 1, Address: v.Address, UserAgent: v.Agent(),
		CreatedAt: now, LastSeenAt: now, IdleUntil: now.Add(s.o.Idle), ExpiresAt: now.Add(s.o.Max)}
	if current == nil {
		return fresh, true, ""
	}
	return fresh, true, current.Session.ID
}

// addProofs adds new proofs to a session. A password, or a passkey with user verification, proven
// within the request extends the total life of the session.
func (s *Registry) addProofs(x storage.Session, factors []storage.Factor, request storage.AuthRequest, v mfa.Caller, now time.Time) storage.Session {
	merged, grew, fresh := slices.Clone(x.Factors), false, false
	for _, f := range factors {
		i := slices.IndexFunc(merged, func(o storage.Factor) bool {
			return o.Method == f.Method && o.Authenticator == f.Authenticator
		})
		switch {
		case i < 0:
			merged, grew = append(merged, f), true
		case f.At.After(merged[i].At):
			merged[i], grew = f, true
		default:
			continue
		}
		person := slices.Contains(f.Kinds, storage.Know) || slices.Contains(f.Kinds, storage.Are)
		fresh = fresh || person && !f.At.Before(request.RequestedAt)
	}
	if !grew {
		return x
	}
	x.Factors, x.Generation = merged, x.Generation+1
	x.Address, x.UserAgent = v.Address, v.Agent()
	x.LastSeenAt, x.IdleUntil = now, now.Add(s.o.Idle)
	if fresh {
		x.ExpiresAt = now.Add(s.o.Max)
	}
	return x
}

// Limit returns an expiry, or the latest that a browser session may have now.
func (s *Registry) Limit(expiry time.Time) time.Time {
	if latest := s.now().Add(s.o.Max); expiry.After(latest) {
		return latest
	}
	return expiry
}

// End ends a session with its grants. Those with offline access end by the setting of their client. by is
// the client that asked for it; "": none did.
func (s *Registry) End(ctx context.Context, x *SignedIn, v mfa.Caller, by storage.ClientID) error {
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: x.Session.UserID, SessionID: x.Session.ID, ClientID: by})
	return mfa.Wrap("end session", s.store.EndSession(ctx, x.Session.ID, false, e.At, []storage.Event{e}))
}

// FrontchannelClients returns the clients of a session that the browser tells of its end.
func (s *Registry) FrontchannelClients(ctx context.Context, id storage.SessionID) ([]storage.ClientID, error) {
	found, err := s.store.FrontchannelClients(ctx, id)
	return found, mfa.Wrap("read clients of session", err)
}

// HasLogins reports whether there are unfinished logins in the caller's browser that a user has
// proven something in.
func (s *Registry) HasLogins(ctx context.Context, v mfa.Caller) (bool, error) {
	if v.Browser == "" {
		return false, nil
	}
	found, err := s.store.HasLogins(ctx, s.keyring.Hashes("browser", v.Browser), s.now())
	return found, mfa.Wrap("read logins", err)
}

// EndLogins ends the unfinished logins of a user in the caller's browser; "": of all users.
func (s *Registry) EndLogins(ctx context.Context, v mfa.Caller, user storage.UserID) error {
	if v.Browser == "" {
		return nil
	}
	return mfa.Wrap("end logins", s.store.EndLogins(ctx, s.keyring.Hashes("browser", v.Browser), user, s.now()))
}

// Remember returns the device cookie with a user added who signed in.
func (s *Registry) Remember(cookie string, user storage.UserID) string {
	return device.Remember(s.keyring, s.random, cookie, user)
}

// MarkFamiliar returns the familiar cookie with a user added who proved two factors, and where.
// ended is their DevicesEnded.
func (s *Registry) MarkFamiliar(v mfa.Caller, user storage.UserID, ended int64) string {
	return device.MarkFamiliar(s.keyring, s.random, v.Familiar, device.Place{User: user, Ended: ended, Network: v.Area(), Country: v.Country}, s.now())
}

// Knows reports whether a user signed in with the device of a cookie before, and its ID.
func (s *Registry) Knows(cookie string, user storage.UserID) (string, bool) {
	return device.Knows(s.keyring, cookie, user)
}

// markSeen marks a session as seen, for the next Flush.
func (s *Registry) markSeen(x storage.Session, now time.Time) {
	if now.Sub(x.LastSeenAt) < lastSeenInterval {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lastSeen) < maxUnwritten {
		s.lastSeen[x.ID] = now
	}
}

// Flush writes LastSeenAt of the sessions seen since the last call.
func (s *Registry) Flush(ctx context.Context) error {
	s.mu.Lock()
	seen := s.lastSeen
	s.lastSeen = map[storage.SessionID]time.Time{}
	s.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	return mfa.Wrap("touch sessions", s.store.TouchSessions(ctx, seen, s.o.Idle))
}

// Run flushes each second until ctx ends, and then once more. A failed flush is not repeated:
// it shortens the idle time of its sessions by seconds.
func (s *Registry) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), audit.FlushTimeout)
			defer cancel()
			return s.Flush(last)
		case <-tick.C:
			if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
				s.journal.LogFailure("sessions", err)
			}
		}
	}
}

// Owner returns the user of the session as the owner of the account page.
func (s *SignedIn) Owner() mfa.Owner {
	return mfa.Owner{Account: s.Account, Factors: s.Session.Factors, Session: s.Session.ID, Origin: mfa.OriginAccount}
}

// ForAuthorization returns the owner behind an authorization; nil without an error if its
// session has ended. The owner has the proofs of the authorization, not those the session got
// since: later proofs must not raise the level of an old token.
func (s *Registry) ForAuthorization(ctx context.Context, a storage.Authorization) (*mfa.Owner, error) {
	session, account, err := s.store.Session(ctx, a.SessionID, s.now())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	if session.UserID != a.UserID || !account.User.In() {
		return nil, nil
	}
	return &mfa.Owner{Account: account, Factors: a.Factors, Session: session.ID}, nil
}
