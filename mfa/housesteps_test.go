package mfa_test

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"sallyport/mfa"
	"sallyport/storage"
)

// session starts a browser session of a user, with proofs of now.
func (h *house) session(user storage.UserID, methods ...string) mfa.Owner {
	h.t.Helper()
	account, err := h.store.Account(context.Background(), user)
	if err != nil {
		h.t.Fatal(err)
	}
	var factors []storage.Factor
	for _, m := range methods {
		i, _ := h.verifier.Info(m)
		at := slices.IndexFunc(account.Authenticators, func(a storage.Authenticator) bool { return a.Method == m })
		if at < 0 {
			h.t.Fatalf("the user has no %s", m)
		}
		factors = append(factors, storage.Factor{Method: m, Authenticator: account.Authenticators[at].ID, Kinds: i.Kinds, AMR: i.AMR, At: h.now()})
	}
	s, _, _ := h.sessions.Prepare(nil, storage.AuthRequest{}, user, factors, h.visit)
	if err := h.store.CreateSession(context.Background(), s, nil); err != nil {
		h.t.Fatal(err)
	}
	signedIn := h.load(h.sessions.Token(s))
	if signedIn == nil {
		h.t.Fatal("the session does not live")
	}
	return signedIn.Owner()
}

// again reads an owner anew, as the next request does; nil: the session is over.
func (h *house) again(o mfa.Owner) *mfa.Owner {
	h.t.Helper()
	signedIn := h.load(h.sessions.Token(storage.Session{ID: o.Session, Generation: 1}))
	if signedIn == nil {
		return nil
	}
	again := signedIn.Owner()
	return &again
}

func (h *house) enrolFor(o mfa.Owner, n mfa.NewFactor) (mfa.Enrolling, error) {
	h.t.Helper()
	return h.verifier.EnrollFor(context.Background(), h.visit, o, n)
}

func (h *house) confirmFor(o mfa.Owner, e mfa.Enrolling) ([]string, error) {
	h.t.Helper()
	return h.verifier.ConfirmFor(context.Background(), h.visit, o, e.Exchange, mfa.Typed(h.shows(o.Account.User.ID, e.Authenticator)))
}

// shows is the code an authenticator's app shows now.
func (h *house) shows(user storage.UserID, id storage.AuthenticatorID) string {
	h.t.Helper()
	account, err := h.store.Account(context.Background(), user)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, a := range account.Authenticators {
		if a.ID == id {
			return h.totp.CodeOf(a, h.now())
		}
	}
	h.t.Fatalf("no authenticator %s", id)
	return ""
}

func (h *house) loggedInAs(name, password string) storage.RequestID {
	h.t.Helper()
	id := h.begin()
	want(h.t, "login", h.login(id, name, password), "")
	return id
}

func (h *house) claim(id storage.RequestID, c mfa.Claim) error {
	h.t.Helper()
	return h.verifier.Claim(context.Background(), h.visit, h.proving(id, ""), c)
}

// unknown finds an identifier nobody has whose decoys hold the method.
func (h *house) unknown(method string) string {
	h.t.Helper()
	for i := range 200 {
		who := fmt.Sprintf("nobody%d@example.com", i)
		for _, o := range h.verifier.Options(h.proving(h.begin(), who)) {
			if o.Method == method {
				return who
			}
		}
	}
	h.t.Fatalf("no decoy of %s for 200 identifiers", method)
	return ""
}

func (h *house) enrol(id storage.RequestID) (mfa.Enrolling, error) {
	h.t.Helper()
	return h.verifier.BeginEnrollment(context.Background(), h.visit, h.proving(id, ""), "totp", "My phone")
}

func (h *house) confirm(id storage.RequestID, x storage.ExchangeID, typed string) error {
	h.t.Helper()
	return h.verifier.ConfirmEnrollment(context.Background(), h.visit, h.proving(id, ""), x, mfa.Typed(typed))
}

// phone computes codes from nothing but what was handed out.
func (h *house) phone(e mfa.Enrolling) string {
	h.t.Helper()
	code, err := totp.GenerateCode(e.Handout.Secret, h.now())
	if err != nil {
		h.t.Fatal(err)
	}
	return code
}

func (h *house) bob() storage.User {
	return h.create(mfa.Draft{Email: ownMail, EmailVerified: true, Password: ownPass})
}

func (h *house) initiate(id storage.RequestID, identifier string, c mfa.Choice) (mfa.Started, error) {
	h.t.Helper()
	return h.verifier.Initiate(context.Background(), h.visit, h.proving(id, identifier), c)
}

func (h *house) verify(x storage.ExchangeID, typed string) (mfa.Verified, error) {
	h.t.Helper()
	return h.verifier.Verify(context.Background(), h.visit, mfa.Answer{Exchange: x, Method: "totp", Response: mfa.Typed(typed)})
}

func (h *house) redeem(id storage.RequestID, s storage.StatusID, usage string) error {
	h.t.Helper()
	return h.verifier.Redeem(context.Background(), h.visit, h.proving(id, ""), s, "totp", usage)
}

// listed is what a login tells of a name before the first factor.
func (h *house) listed(id storage.RequestID, who string) []mfa.Option {
	h.t.Helper()
	if err := h.verifier.Ask(context.Background(), h.visit, h.proving(id, who)); err != nil {
		h.t.Fatalf("ask about %s: %v", who, err)
	}
	return h.verifier.Options(h.proving(id, who))
}

// byMedium begins a try at what a list told, naming nobody else.
func (h *house) byMedium(id storage.RequestID, c mfa.Choice) (mfa.Started, error) {
	h.t.Helper()
	p := h.proving(id, "")
	var err error
	if p.Account, p.Identifier, err = h.verifier.OwnerOf(context.Background(), p.Request, c); err != nil {
		return mfa.Started{}, err
	}
	return h.verifier.Initiate(context.Background(), h.visit, p, c)
}

// transcript tries two names in an order and at moments that are always the same, and
// returns the answers.
func (h *house) transcript(kind string, names ...string) string {
	h.t.Helper()
	var out strings.Builder
	dice := mathrand.New(mathrand.NewPCG(1, 2))
	for n := range 90 {
		which := dice.IntN(2)
		if n < 5 {
			which = 0 // so that one waits before the other was tried
		}
		var err error
		if kind == "password" {
			err = h.login(h.begin(), names[which], "a wrong password")
		} else {
			var s mfa.Started
			if s, err = h.initiate(h.begin(), names[which], passwordless("")); err == nil {
				_, err = h.verify(s.Exchange, h.wrong())
			}
		}
		e, _ := err.(*mfa.Error)
		if e == nil {
			h.t.Fatalf("try %d: %v", n, err)
		}
		fmt.Fprintf(&out, "%d: name %d %s %s\n", n, which, e.Code, e.RetryAfter)
		if dice.IntN(3) == 0 {
			h.wait(time.Duration(dice.IntN(200)) * time.Second)
		}
	}
	return out.String()
}

// owner is the user's own session, with the password and the code of now.
func (h *house) owner(u storage.User) mfa.Owner {
	h.t.Helper()
	return h.session(u.ID, "password", "totp")
}

// becomes sets a user's status, and ends nothing.
func (h *house) becomes(user storage.UserID, status storage.UserStatus) {
	h.t.Helper()
	want(h.t, "status", h.store.UpdateUser(context.Background(), storage.UserChange{ID: user, Status: &status, Now: h.now()}), "")
}

// sign makes a session for a user, or raises the current one, as provider does.
func (h *house) sign(current *mfa.SignedIn, user storage.UserID, counted ...storage.Factor) storage.Session {
	h.t.Helper()
	x, isNew, end := h.sessions.Prepare(current, storage.AuthRequest{RequestedAt: h.now().Add(-time.Second)}, user, counted, h.visit)
	f := storage.Finish{Now: h.now(), Session: &x, NewSession: isNew, EndSession: end}
	if !isNew && current != nil && x.Generation == current.Session.Generation {
		f.Session = nil
	}
	if err := h.store.FinishRequest(context.Background(), f); err != nil {
		h.t.Fatalf("store session: %v", err)
	}
	return x
}

func (h *house) load(token string) *mfa.SignedIn {
	h.t.Helper()
	in, err := h.sessions.Load(context.Background(), token)
	if err != nil {
		h.t.Fatal(err)
	}
	return in
}

// lines counts the lines of a kind that the trail has.
func (h *house) lines(kind string) int {
	h.t.Helper()
	want(h.t, "flush", h.journal.Flush(context.Background()), "")
	told, err := h.store.ListEvents(context.Background(), storage.EventFilter{Kind: kind, Limit: 1000})
	want(h.t, "list", err, "")
	return len(told)
}

// passwordless is a choice to stand in for the password.
func passwordless(a storage.AuthenticatorID) mfa.Choice {
	return mfa.Choice{Method: "totp", Authenticator: a, Usage: mfa.UsagePasswordless}
}
