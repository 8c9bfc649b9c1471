package mfatest

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// SignedInAs opens a request and proves a password.
func (h *Fixture) SignedInAs(name, password string) storage.RequestID {
	h.T.Helper()
	id := h.OpenRequest()
	Want(h.T, "sign in", h.SignIn(id, name, password), "")
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
		h.T.Fatalf("list %s: %v", who, err)
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
