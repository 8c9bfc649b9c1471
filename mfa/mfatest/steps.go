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

// session starts a browser session of a user, with proofs of now.
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
	s, _, _ := h.Sessions.Prepare(nil, storage.AuthRequest{}, user, factors, h.Caller)
	if err := h.Store.CreateSession(context.Background(), s, nil); err != nil {
		h.T.Fatal(err)
	}
	signedIn := h.Load(h.Sessions.Token(s))
	if signedIn == nil {
		h.T.Fatal("the session does not live")
	}
	return signedIn.Owner()
}

// again reads an owner anew, as the next request does; nil: the session is over.
func (h *Fixture) Again(o mfa.Owner) *mfa.Owner {
	h.T.Helper()
	signedIn := h.Load(h.Sessions.Token(storage.Session{ID: o.Session, Generation: 1}))
	if signedIn == nil {
		return nil
	}
	again := signedIn.Owner()
	return &again
}

func (h *Fixture) EnrolFor(o mfa.Owner, n exchange.NewFactor) (exchange.Enrolling, error) {
	h.T.Helper()
	return h.Verifier.Enroll(context.Background(), h.Caller, exchange.SignedIn(o), n)
}

func (h *Fixture) ConfirmFor(o mfa.Owner, e exchange.Enrolling) ([]string, error) {
	h.T.Helper()
	return h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(h.Shows(o.Account.User.ID, e.Authenticator)))
}

// shows is the code an authenticator's app shows now.
func (h *Fixture) Shows(user storage.UserID, id storage.AuthenticatorID) string {
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

func (h *Fixture) LoggedInAs(name, password string) storage.RequestID {
	h.T.Helper()
	id := h.Begin()
	Want(h.T, "login", h.SignIn(id, name, password), "")
	return id
}

func (h *Fixture) Claim(id storage.RequestID, c exchange.Claim) error {
	h.T.Helper()
	return h.Verifier.Claim(context.Background(), h.Caller, h.Read(id, ""), c)
}

// unknown finds an identifier nobody has whose decoys hold the method.
func (h *Fixture) Unknown(method string) string {
	h.T.Helper()
	for i := range 200 {
		who := fmt.Sprintf("nobody%d@example.com", i)
		for _, o := range h.Verifier.Options(h.Read(h.Begin(), who)) {
			if o.Method == method {
				return who
			}
		}
	}
	h.T.Fatalf("no decoy of %s for 200 identifiers", method)
	return ""
}

func (h *Fixture) Enrol(id storage.RequestID) (exchange.Enrolling, error) {
	h.T.Helper()
	return h.Verifier.Enroll(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: "totp", Name: "My phone"})
}

func (h *Fixture) Confirm(id storage.RequestID, x storage.ExchangeID, typed string) error {
	h.T.Helper()
	_, err := h.Verifier.Confirm(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), x, mfa.Typed(typed))
	return err
}

// phone computes codes from nothing but what was handed out.
func (h *Fixture) Phone(e exchange.Enrolling) string {
	h.T.Helper()
	code, err := totp.GenerateCode(e.Handout.Secret, h.Now())
	if err != nil {
		h.T.Fatal(err)
	}
	return code
}

func (h *Fixture) Bob() storage.User {
	return h.Create(users.Draft{Email: Email, EmailVerified: true, Password: Password})
}

func (h *Fixture) Initiate(id storage.RequestID, identifier string, c exchange.Choice) (exchange.Started, error) {
	h.T.Helper()
	return h.Verifier.Initiate(context.Background(), h.Caller, h.Read(id, identifier), c)
}

func (h *Fixture) Verify(x storage.ExchangeID, typed string) (exchange.Verified, error) {
	h.T.Helper()
	return h.Verifier.Verify(context.Background(), h.Caller, exchange.Answer{Exchange: x, Method: "totp", Response: mfa.Typed(typed)})
}

func (h *Fixture) Redeem(id storage.RequestID, s storage.StatusID, usage string) error {
	h.T.Helper()
	return h.Verifier.Redeem(context.Background(), h.Caller, h.Read(id, ""), s, "totp", usage)
}

// listed is what a login tells of a name before the first factor.
func (h *Fixture) Listed(id storage.RequestID, who string) []exchange.Option {
	h.T.Helper()
	if err := h.Verifier.Ask(context.Background(), h.Caller, h.Read(id, who)); err != nil {
		h.T.Fatalf("ask about %s: %v", who, err)
	}
	return h.Verifier.Options(h.Read(id, who))
}

// byMedium begins a try at what a list told, naming nobody else.
func (h *Fixture) ByMedium(id storage.RequestID, c exchange.Choice) (exchange.Started, error) {
	h.T.Helper()
	p := h.Read(id, "")
	var err error
	if p.Account, p.Identifier, err = h.Verifier.OwnerOf(context.Background(), p.Request, c); err != nil {
		return exchange.Started{}, err
	}
	return h.Verifier.Initiate(context.Background(), h.Caller, p, c)
}

// transcript tries two names in an order and at moments that are always the same, and
// returns the answers.
func (h *Fixture) Transcript(kind string, names ...string) string {
	h.T.Helper()
	var out strings.Builder
	dice := mathrand.New(mathrand.NewPCG(1, 2))
	for n := range 90 {
		which := dice.IntN(2)
		if n < 5 {
			which = 0 // so that one waits before the other was tried
		}
		var err error
		if kind == "password" {
			err = h.SignIn(h.Begin(), names[which], "a wrong password")
		} else {
			var s exchange.Started
			if s, err = h.Initiate(h.Begin(), names[which], Passwordless("")); err == nil {
				_, err = h.Verify(s.Exchange, h.Wrong())
			}
		}
		e, _ := err.(*mfa.Error)
		if e == nil {
			h.T.Fatalf("try %d: %v", n, err)
		}
		fmt.Fprintf(&out, "%d: name %d %s %s\n", n, which, e.Code, e.RetryAfter)
		if dice.IntN(3) == 0 {
			h.Wait(time.Duration(dice.IntN(200)) * time.Second)
		}
	}
	return out.String()
}

// owner is the user's own session, with the password and the code of now.
func (h *Fixture) Owner(u storage.User) mfa.Owner {
	h.T.Helper()
	return h.Session(u.ID, "password", "totp")
}

// becomes sets a user's status, and ends nothing.
func (h *Fixture) Becomes(user storage.UserID, status storage.UserStatus) {
	h.T.Helper()
	Want(h.T, "status", h.Store.UpdateUser(context.Background(), storage.UserChange{ID: user, Status: &status, Now: h.Now()}), "")
}

// sign makes a session for a user, or raises the current one, as provider does.
func (h *Fixture) Sign(current *session.SignedIn, user storage.UserID, counted ...storage.Factor) storage.Session {
	h.T.Helper()
	x, isNew, end := h.Sessions.Prepare(current, storage.AuthRequest{RequestedAt: h.Now().Add(-time.Second)}, user, counted, h.Caller)
	f := storage.Finish{Now: h.Now(), Session: &x, NewSession: isNew, EndSession: end}
	if !isNew && current != nil && x.Generation == current.Session.Generation {
		f.Session = nil
	}
	if err := h.Store.FinishRequest(context.Background(), f); err != nil {
		h.T.Fatalf("store session: %v", err)
	}
	return x
}

func (h *Fixture) Load(token string) *session.SignedIn {
	h.T.Helper()
	in, err := h.Sessions.Load(context.Background(), token)
	if err != nil {
		h.T.Fatal(err)
	}
	return in
}

// lines counts the lines of a kind that the trail has.
func (h *Fixture) Lines(kind string) int {
	h.T.Helper()
	Want(h.T, "flush", h.Journal.Flush(context.Background()), "")
	told, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Kind: kind, Limit: 1000})
	Want(h.T, "list", err, "")
	return len(told)
}

// passwordless is a choice to stand in for the password.
func Passwordless(a storage.AuthenticatorID) exchange.Choice {
	return exchange.Choice{Method: "totp", Authenticator: a, Usage: mfa.UsagePasswordless}
}
