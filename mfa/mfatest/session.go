package mfatest

import (
	"context"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/storage"
)

// Session creates a session of a user with fresh proofs of methods, and returns its owner.
func (h *Fixture) Session(user storage.UserID, methods ...string) mfa.Owner {
	h.T.Helper()
	account, err := h.Store.Account(context.Background(), user)
	if err != nil {
		h.T.Fatal(err)
	}
	var factors []storage.Factor
	for _, m := range methods {
		i, _ := h.Verifier.Info(m)
		at := slices.IndexFunc(account.Authenticators, func(a storage.Authenticator) bool { return a.Method == m })
		if at < 0 {
			h.T.Fatalf("the user has no %s", m)
		}
		factors = append(factors, storage.Factor{Method: m, Authenticator: account.Authenticators[at].ID, Kinds: i.Kinds, AMR: i.AMR, At: h.Now()})
	}
	s, _, _ := h.Sessions.ForLogin(nil, storage.AuthRequest{}, user, factors, h.Caller)
	if err := h.Store.CreateSession(context.Background(), s, nil); err != nil {
		h.T.Fatal(err)
	}
	signedIn := h.Load(h.Sessions.Token(s))
	if signedIn == nil {
		h.T.Fatal("the session is not active")
	}
	return signedIn.Owner()
}

// Reload reads the owner of a session again; nil: the session has ended.
func (h *Fixture) Reload(o mfa.Owner) *mfa.Owner {
	h.T.Helper()
	signedIn := h.Load(h.Sessions.Token(storage.Session{ID: o.Session, Generation: 1}))
	if signedIn == nil {
		return nil
	}
	again := signedIn.Owner()
	return &again
}

// Owner creates a session with fresh proofs of password and TOTP, and returns its owner.
func (h *Fixture) Owner(u storage.User) mfa.Owner {
	h.T.Helper()
	return h.Session(u.ID, "password", "totp")
}

// SetStatus sets a user's status and ends no session.
func (h *Fixture) SetStatus(user storage.UserID, status storage.UserStatus) {
	h.T.Helper()
	Want(h.T, "status", h.Store.UpdateUser(context.Background(), storage.UserChange{ID: user, Status: &status, Now: h.Now()}), "")
}

// StoreSession creates or updates a session at the end of a login, as package provider does.
func (h *Fixture) StoreSession(current *session.SignedIn, user storage.UserID, counted ...storage.Factor) storage.Session {
	h.T.Helper()
	x, isNew, end := h.Sessions.ForLogin(current, storage.AuthRequest{RequestedAt: h.Now().Add(-time.Second)}, user, counted, h.Caller)
	f := storage.Finish{Now: h.Now(), Session: &x, NewSession: isNew, EndSession: end}
	if !isNew && current != nil && x.Generation == current.Session.Generation {
		f.Session = nil
	}
	if err := h.Store.FinishRequest(context.Background(), f); err != nil {
		h.T.Fatalf("store session: %v", err)
	}
	return x
}

// Load returns the session of a token; nil: none.
func (h *Fixture) Load(token string) *session.SignedIn {
	h.T.Helper()
	in, err := h.Sessions.Load(context.Background(), token)
	if err != nil {
		h.T.Fatal(err)
	}
	return in
}
