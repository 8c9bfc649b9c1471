// Package session keeps who is signed in with which browser.
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
	sessionUse = "session"
	// seenGrain is how exact LastSeenAt is: seldom enough to cost nothing, often
	// enough for idle limits of minutes.
	seenGrain = 30 * time.Second
	seenMost  = 50_000
)

// SignedIn is a living session with its account.
type SignedIn struct {
	Session storage.Session
	Account storage.Account
}

// SessionOptions bound a session. Zero values mean 30 minutes idle and 12 hours.
type Options struct{ Idle, Max time.Duration }

// Sessions keeps who is signed in. A session's token is derived from its ID and
// generation, so nothing of it is stored.
type Registry struct {
	store   storage.Sessions
	keyring *seal.Keyring
	journal *audit.Journal
	now     func() time.Time
	random  io.Reader
	o       Options

	mu   sync.Mutex
	seen map[storage.SessionID]time.Time
}

// NewSessions returns Sessions; its Run writes when sessions were last seen.
func New(store storage.Sessions, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time, random io.Reader, o Options) *Registry {
	o.Idle = cmp.Or(o.Idle, 30*time.Minute)
	o.Max = cmp.Or(o.Max, 12*time.Hour)
	return &Registry{store: store, keyring: keyring, journal: journal, now: now, random: random, o: o,
		seen: map[storage.SessionID]time.Time{}}
}

// Load returns who a session token belongs to; nil without an error says nobody:
// malformed, superseded by a newer generation, ended, expired or the user disabled.
func (s *Registry) Load(ctx context.Context, token string) (*SignedIn, error) {
	raw, generation, ok := s.keyring.OpenToken(sessionUse, token)
	if !ok {
		return nil, nil
	}
	now := s.now()
	session, account, err := s.store.Session(ctx, storage.FromBytes[storage.SessionID](raw), now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	idle := !session.IdleUntil.IsZero() && !session.IdleUntil.After(now)
	if session.Generation != int64(generation) || idle || !account.User.In() {
		return nil, nil
	}
	s.touch(session, now)
	return &SignedIn{Session: session, Account: account}, nil
}

// Token returns the token of a session's generation: 64 letters and digits.
func (s *Registry) Token(x storage.Session) string {
	id, ok := storage.Bytes(x.ID)
	if !ok || x.Generation < 0 || x.Generation > math.MaxUint32 {
		return ""
	}
	return s.keyring.Token(sessionUse, id, uint32(x.Generation))
}

// Prepare says which session the end of a login stores. The current one is raised
// when it is the same user's and a proof is new: its generation grows, so that
// tokens from before are worthless. It comes back unchanged, with its generation,
// when nothing is new: then there is nothing to store. Another user's session ends.
func (s *Registry) Prepare(current *SignedIn, request storage.AuthRequest, user storage.UserID, counted []storage.Factor, v mfa.Caller) (storage.Session, bool, storage.SessionID) {
	now := s.now()
	if current != nil && current.Session.UserID == user {
		return s.raised(current.Session, counted, request, v, now), false, ""
	}
	fresh := storage.Session{ID: storage.SessionID(storage.TimeOrdered(now, s.random)), UserID: user, Origin: "browser",
		Factors: slices.Clone(counted), Generation: 1, Address: v.Address, UserAgent: v.Agent(),
		CreatedAt: now, LastSeenAt: now, IdleUntil: now.Add(s.o.Idle), ExpiresAt: now.Add(s.o.Max)}
	if current == nil {
		return fresh, true, ""
	}
	return fresh, true, current.Session.ID
}

// raised adds new proofs to a session. Proofs given within this very request show
// that the user is here: the absolute end moves.
func (s *Registry) raised(x storage.Session, counted []storage.Factor, request storage.AuthRequest, v mfa.Caller, now time.Time) storage.Session {
	merged, grew, fresh := slices.Clone(x.Factors), false, false
	for _, f := range counted {
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
		fresh = fresh || slices.Contains(f.Kinds, storage.Know) && !f.At.Before(request.RequestedAt)
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

// End ends a session; offline ends its offline grants too.
func (s *Registry) End(ctx context.Context, x *SignedIn, offline bool, v mfa.Caller) error {
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: x.Session.UserID, SessionID: x.Session.ID})
	if err := s.store.EndSession(ctx, x.Session.ID, offline, e.At, []storage.Event{e}); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// EndLogins ends what a user has proven in a browser and not finished; "": whoever did.
func (s *Registry) EndLogins(ctx context.Context, v mfa.Caller, user storage.UserID) error {
	if v.Browser == "" {
		return nil
	}
	if err := s.store.EndLogins(ctx, s.keyring.Hashes("browser", v.Browser), user, s.now()); err != nil {
		return fmt.Errorf("end logins: %w", err)
	}
	return nil
}

// Remember returns the device cookie after this user signed in.
func (s *Registry) Remember(cookie string, user storage.UserID) string {
	return device.Remember(s.keyring, s.random, cookie, user)
}

// Knows reports whether a device cookie says that this user signed in here before.
func (s *Registry) Knows(cookie string, user storage.UserID) (string, bool) {
	return device.Knows(s.keyring, cookie, user)
}

// touch notes that a session was seen, to be written behind.
func (s *Registry) touch(x storage.Session, now time.Time) {
	if now.Sub(x.LastSeenAt) < seenGrain {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) < seenMost {
		s.seen[x.ID] = now
	}
}

// Flush writes when sessions were last seen.
func (s *Registry) Flush(ctx context.Context) error {
	s.mu.Lock()
	seen := s.seen
	s.seen = map[storage.SessionID]time.Time{}
	s.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	if err := s.store.TouchSessions(ctx, seen, s.o.Idle); err != nil {
		return fmt.Errorf("touch sessions: %w", err)
	}
	return nil
}

// Run flushes each second until ctx ends, and then once more. A flush that failed is
// lost: it only shortens an idle limit by what was seen in that second.
func (s *Registry) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), audit.Grace)
			defer cancel()
			return s.Flush(last)
		case <-tick.C:
			if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
				s.journal.Failed("sessions", err)
			}
		}
	}
}

// Owner is the person of a browser session on our account page.
func (s *SignedIn) Owner() mfa.Owner {
	return mfa.Owner{Account: s.Account, Factors: s.Session.Factors, Session: s.Session.ID, Origin: mfa.OriginAccount}
}

// Behind returns who speaks by an authorization while the session it was given in
// lives, without having seen the session's own token; nil without an error says that it
// has ended. The proofs are those of the authorization: a session gathers more, for
// other clients, and an old token must not be worth more for that.
func (s *Registry) Behind(ctx context.Context, a storage.Authorization) (*mfa.Owner, error) {
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
