package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/storage"
)

// MaxClaims bounds the custom claims of a session, in bytes of JSON.
const MaxClaims = 4 << 10

// ErrClaims is the cause of InvalidRequest when the custom claims of a session would be too
// large.
var ErrClaims = errors.New("backend: custom claims are not JSON, or exceed 4 KiB")

// sessionUse is a SessionUse with the session it names.
type sessionUse struct {
	SessionUse
	current *storage.Session // nil: none
}

// sessionFor reads the session that a proof of a user names.
func (s *Service) sessionFor(ctx context.Context, user storage.UserID, p Proof) (sessionUse, error) {
	use := sessionUse{SessionUse: p.Session}
	if !use.Given {
		return use, nil
	}
	x, _, err := s.SessionByID(ctx, use.ID)
	switch {
	case err != nil:
		return use, err
	case x.UserID != user:
		return use, &mfa.Error{Code: mfa.OtherUser}
	case s.differs(s.o.MatchSessions, p.Fingerprint, Fingerprint{IP: x.Address, UserAgent: x.UserAgent}):
		return use, &mfa.Error{Code: mfa.DeviceMismatch}
	}
	use.current = &x
	return use, nil
}

// addSession adds to a spend what a proof does to a session, and returns the session as it
// will be; nil: none.
func (s *Service) addSession(spend *storage.Spend, caller mfa.Caller, use sessionUse, user storage.UserID, f storage.Factor) (*storage.Session, error) {
	if use.current == nil {
		if use.Duration == 0 {
			return nil, nil
		}
		x := storage.Session{ID: storage.SessionID(storage.TimeOrdered(spend.Now, s.random)), UserID: user, Origin: mfa.OriginBackend,
			Factors: []storage.Factor{f}, Generation: 1, Address: caller.Address, UserAgent: caller.Agent(),
			CreatedAt: spend.Now, LastSeenAt: spend.Now, ExpiresAt: spend.Now.Add(use.Duration)}
		var err error
		if x.Attributes, err = mergeClaims(nil, use.Claims); err != nil {
			return nil, err
		}
		spend.Session = &x
		return &x, nil
	}
	x, extension, err := s.extension(use, &f)
	spend.Extend = &extension
	return &x, err
}

// extension returns a session as a use changes it, and the change. f may be nil.
func (s *Service) extension(use sessionUse, f *storage.Factor) (storage.Session, storage.Extension, error) {
	x, now := *use.current, s.now()
	out := storage.Extension{ID: x.ID, User: x.UserID, Factor: f, Now: now}
	if f != nil {
		x.Factors = append(slices.DeleteFunc(slices.Clone(x.Factors), func(o storage.Factor) bool {
			return o.Method == f.Method && o.Authenticator == f.Authenticator
		}), *f)
		out.Factors = x.Factors
	}
	if use.Duration > 0 {
		x.ExpiresAt = now.Add(use.Duration)
		if x.Origin != mfa.OriginBackend {
			// Single sign-on ends when the server's settings say, whatever a backend asks for.
			x.ExpiresAt = s.sessions.Limit(x.ExpiresAt)
		}
		out.ExpiresAt = x.ExpiresAt
	}
	if len(use.Claims) > 0 {
		merged, err := mergeClaims(x.Attributes, use.Claims)
		if err != nil {
			return x, out, err
		}
		out.Was, out.Attributes, x.Attributes = x.Attributes, merged, merged
	}
	x.LastSeenAt = now
	return x, out, nil
}

// mergeClaims merges claims key by key; null removes one. InvalidRequest: too large.
func mergeClaims(have json.RawMessage, more map[string]json.RawMessage) (json.RawMessage, error) {
	if len(more) == 0 {
		return have, nil
	}
	all := map[string]json.RawMessage{}
	if len(have) > 0 {
		if err := json.Unmarshal(have, &all); err != nil {
			return nil, fmt.Errorf("read custom claims: %w", err)
		}
	}
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	out, err := json.Marshal(all)
	if err != nil || len(out) > MaxClaims {
		return nil, &mfa.Error{Code: mfa.InvalidRequest, Err: ErrClaims}
	}
	return out, nil
}

// SessionIDOf returns the ID of a live session by its token; "": there is none.
func (s *Service) SessionIDOf(ctx context.Context, token string) (storage.SessionID, error) {
	x, err := s.sessions.Load(ctx, token)
	if err != nil || x == nil {
		return "", err
	}
	return x.Session.ID, nil
}

// SessionByID returns a live session by its ID. SessionNotFound.
func (s *Service) SessionByID(ctx context.Context, id storage.SessionID) (storage.Session, storage.Account, error) {
	return found(s.sessions.ByID(ctx, id))
}

func found(x *session.SignedIn, err error) (storage.Session, storage.Account, error) {
	if err == nil && x == nil {
		err = &mfa.Error{Code: mfa.SessionNotFound}
	}
	if err != nil {
		return storage.Session{}, storage.Account{}, err
	}
	return x.Session, x.Account, nil
}

// Authenticate records that a session is in use, and extends it and changes its claims as
// SessionUse says. SessionNotFound; InvalidRequest for the claims.
func (s *Service) Authenticate(ctx context.Context, caller mfa.Caller, u SessionUse) (storage.Session, storage.Account, error) {
	for try := 0; ; try++ {
		x, account, err := s.SessionByID(ctx, u.ID)
		if err != nil {
			return x, account, err
		}
		next, extension, err := s.extension(sessionUse{SessionUse: u, current: &x}, nil)
		if err != nil || u.Duration == 0 && len(u.Claims) == 0 {
			return next, account, err // when it was used is written in the background
		}
		event := s.journal.Event(caller, storage.Event{Kind: mfa.EventSessionExtended, UserID: x.UserID, SessionID: x.ID})
		err = s.store.ExtendSession(ctx, extension, []storage.Event{event})
		if errors.Is(err, storage.ErrConflict) && try < 5 {
			continue // ended, or its claims were changed meanwhile
		}
		return next, account, mfa.Refuse("extend session", err, storage.ErrConflict, mfa.RequestChanged)
	}
}

// Sessions returns a user's live sessions, newest first. UserNotFound.
func (s *Service) Sessions(ctx context.Context, user storage.UserID) ([]storage.Session, storage.Account, error) {
	account, err := s.User(ctx, user)
	if err != nil {
		return nil, account, err
	}
	list, err := s.sessions.ListOf(ctx, user)
	return list, account, err
}

// EndSession ends a session, of whatever origin, with its grants. SessionNotFound.
func (s *Service) EndSession(ctx context.Context, caller mfa.Caller, id storage.SessionID) error {
	_, err := s.sessions.EndByID(ctx, caller, id, false)
	if mfa.CodeOf(err) == mfa.NotSignedIn {
		return &mfa.Error{Code: mfa.SessionNotFound}
	}
	return err
}

// TokenOf returns the token of a session.
func (s *Service) TokenOf(x storage.Session) string { return s.sessions.Token(x) }

// ClaimsOf returns the custom claims of a session.
func ClaimsOf(x storage.Session) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	if len(x.Attributes) > 0 && json.Unmarshal(x.Attributes, &out) != nil {
		return map[string]json.RawMessage{}
	}
	return out
}

// Factor is a proof of a session with the address that a code was sent to.
type Factor struct {
	storage.Factor
	// Identifier is of methods "email" and "sms". Its ID is that of the authenticator, and
	// its Text may be empty, when the user no longer has the address.
	Identifier storage.Identifier
}

// FactorsOf returns the factors of a session, one for each method and authenticator.
func (s *Service) FactorsOf(x storage.Session, a storage.Account) []Factor {
	out := make([]Factor, 0, len(x.Factors))
	for _, f := range x.Factors {
		item := Factor{Factor: f}
		if kind := s.verifier.AddressKind(f.Method); kind != "" {
			item.Identifier = storage.Identifier{ID: storage.IdentifierID(f.Authenticator), UserID: x.UserID, Kind: kind, CreatedAt: f.At}
			address := ""
			if own := a.Authenticator(f.Authenticator); own != nil {
				address = s.verifier.AddressOf(*own)
			}
			item.Identifier.Value = address
			for _, i := range a.Identifiers {
				if i.ID == item.Identifier.ID || i.Text() == address {
					item.Identifier = i
				}
			}
		}
		out = append(out, item)
	}
	return out
}
