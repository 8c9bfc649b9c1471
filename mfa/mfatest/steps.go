package mfatest

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/mfa/users"
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

// EnrollAs starts an enrolment of a signed-in user.
func (h *Fixture) EnrollAs(o mfa.Owner, n exchange.NewFactor) (exchange.Enrolling, error) {
	h.T.Helper()
	return h.Verifier.Enroll(context.Background(), h.Caller, exchange.SignedIn(o), n)
}

// ConfirmAs confirms an enrolment of a signed-in user.
func (h *Fixture) ConfirmAs(o mfa.Owner, e exchange.Enrolling) ([]string, error) {
	h.T.Helper()
	return h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(h.AppCode(o.Account.User.ID, e.Authenticator)))
}

// AppCode returns the current code of an authenticator.
func (h *Fixture) AppCode(user storage.UserID, id storage.AuthenticatorID) string {
	h.T.Helper()
	account, err := h.Store.Account(context.Background(), user)
	if err != nil {
		h.T.Fatal(err)
	}
	for _, a := range account.Authenticators {
		if a.ID == id {
			return h.TOTP.CodeOf(a, h.Now())
		}
	}
	h.T.Fatalf("no authenticator %s", id)
	return ""
}

// SignedInAs opens a request and proves a password.
func (h *Fixture) SignedInAs(name, password string) storage.RequestID {
	h.T.Helper()
	id := h.OpenRequest()
	Want(h.T, "login", h.SignIn(id, name, password), "")
	return id
}

// Claim claims a verified status for a request.
func (h *Fixture) Claim(id storage.RequestID, c exchange.Claim) error {
	h.T.Helper()
	return h.Verifier.Claim(context.Background(), h.Caller, h.Read(id, ""), c)
}

// UnknownUser returns an unknown identifier whose decoys have a method.
func (h *Fixture) UnknownUser(method string) string {
	h.T.Helper()
	for i := range 200 {
		who := fmt.Sprintf("nobody%d@example.com", i)
		for _, o := range h.Verifier.Options(h.Read(h.OpenRequest(), who)) {
			if o.Method == method {
				return who
			}
		}
	}
	h.T.Fatalf("no decoy of %s for 200 identifiers", method)
	return ""
}

// Enroll starts an enrolment of TOTP in a login.
func (h *Fixture) Enroll(id storage.RequestID) (exchange.Enrolling, error) {
	h.T.Helper()
	return h.Verifier.Enroll(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: "totp", Name: "My phone"})
}

// Confirm confirms an enrolment in a login.
func (h *Fixture) Confirm(id storage.RequestID, x storage.ExchangeID, typed string) error {
	h.T.Helper()
	_, err := h.Verifier.Confirm(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), x, mfa.Typed(typed))
	return err
}

// HandoutCode returns the current code, computed from the handout alone.
func (h *Fixture) HandoutCode(e exchange.Enrolling) string {
	h.T.Helper()
	code, err := totp.GenerateCode(e.Handout.Secret, h.Now())
	if err != nil {
		h.T.Fatal(err)
	}
	return code
}

// CreatePasswordUser creates a user with a password only.
func (h *Fixture) CreatePasswordUser() storage.User {
	return h.Create(users.Draft{Email: Email, EmailVerified: true, Password: Password})
}

// Initiate initiates a try in a request.
func (h *Fixture) Initiate(id storage.RequestID, identifier string, c exchange.Choice) (exchange.Initiation, error) {
	h.T.Helper()
	return h.Verifier.Initiate(context.Background(), h.Caller, h.Read(id, identifier), c)
}

// Verify verifies a TOTP code.
func (h *Fixture) Verify(x storage.ExchangeID, typed string) (exchange.Verified, error) {
	h.T.Helper()
	return h.Verifier.Verify(context.Background(), h.Caller, exchange.Answer{Exchange: x, Method: "totp", Response: mfa.Typed(typed)})
}

// Redeem redeems a verified TOTP status for a request.
func (h *Fixture) Redeem(id storage.RequestID, s storage.StatusID, usage string) error {
	h.T.Helper()
	return h.Verifier.Redeem(context.Background(), h.Caller, h.Read(id, ""), s, "totp", usage)
}

// ListOptions returns the options of a name before the first factor.
func (h *Fixture) ListOptions(id storage.RequestID, who string) []exchange.Option {
	h.T.Helper()
	if err := h.Verifier.RememberName(context.Background(), h.Caller, h.Read(id, who)); err != nil {
		h.T.Fatalf("ask about %s: %v", who, err)
	}
	return h.Verifier.Options(h.Read(id, who))
}

// InitiateListed initiates a try at a listed pseudonym, without an identifier.
func (h *Fixture) InitiateListed(id storage.RequestID, c exchange.Choice) (exchange.Initiation, error) {
	h.T.Helper()
	p := h.Read(id, "")
	var err error
	if p.Account, p.Identifier, err = h.Verifier.OwnerOf(context.Background(), p.Request, c); err != nil {
		return exchange.Initiation{}, err
	}
	return h.Verifier.Initiate(context.Background(), h.Caller, p, c)
}

// Transcript tries two names in a fixed order at fixed times and returns the refusals.
func (h *Fixture) Transcript(kind string, names ...string) string {
	h.T.Helper()
	var out strings.Builder
	dice := mathrand.New(mathrand.NewPCG(1, 2))
	for n := range 90 {
		which := dice.IntN(2)
		if n < 5 {
			which = 0 // so that one waits before the other is tried
		}
		var err error
		if kind == "password" {
			err = h.SignIn(h.OpenRequest(), names[which], "a wrong password")
		} else {
			var s exchange.Initiation
			if s, err = h.Initiate(h.OpenRequest(), names[which], Passwordless("")); err == nil {
				_, err = h.Verify(s.Exchange, h.Wrong())
			}
		}
		e, _ := err.(*mfa.Error)
		if e == nil {
			h.T.Fatalf("try %d: %v", n, err)
		}
		fmt.Fprintf(&out, "%d: name %d %s %s\n", n, which, e.Code, e.RetryAfter)
		if dice.IntN(3) == 0 {
			h.Advance(time.Duration(dice.IntN(200)) * time.Second)
		}
	}
	return out.String()
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

// CountEvents returns the number of audit events of a kind.
func (h *Fixture) CountEvents(kind string) int {
	h.T.Helper()
	Want(h.T, "flush", h.Journal.Flush(context.Background()), "")
	events, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Kind: kind, Limit: 1000})
	Want(h.T, "list", err, "")
	return len(events)
}

// Passwordless returns the choice of TOTP in place of the password.
func Passwordless(a storage.AuthenticatorID) exchange.Choice {
	return exchange.Choice{Method: "totp", Authenticator: a, Usage: mfa.UsagePasswordless}
}
