package exchange

import (
	"context"
	"strconv"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Login is the login that a proof is for, as package provider read and checked it.
type Login struct {
	Request      storage.AuthRequest
	Account      *storage.Account // of the request's subject, else of the identifier; nil: unknown
	Identifier   string           // as typed, canonical; for decoys and counters
	Policy       mfa.Policy
	Requirements mfa.Requirements
	// Detached, if not nil, is the detached login that a first factor begins, because the
	// caller is not the owner of the request. Request then holds no proofs of others.
	Detached *storage.NewLogin
	// Address is the state of the caller's address when the login was read; nil: not read.
	Address *storage.AddressState
	// Then, if not nil, adds what follows from a factor to the writes of its proof. It gets the
	// request with the factor, and its user.
	Then func(ctx context.Context, s *storage.Spend, proven storage.AuthRequest, user storage.Account) error
	// Remember, if not nil, is the device to remember with a proof of a second factor.
	Remember *storage.RememberedDevice
	// Sub is the masked subject that the owner of the login knows; "": no user is identified.
	Sub string
}

// addFactor makes a spend add a factor of a user to the request, or to the detached login.
func (p Login) addFactor(ctx context.Context, s *storage.Spend, account *storage.Account, f *storage.Factor) error {
	user := account.User.ID
	if p.Detached != nil {
		n := *p.Detached
		n.Login.Subject, n.Login.Factors = user, []storage.Factor{*f}
		s.Login = &n
		return nil
	}
	s.Request = &storage.RequestChange{ID: p.Request.ID, Version: p.Request.Version, Subject: user, Factor: f, Now: s.Now}
	if p.Request.Sealed != "" {
		s.Request.Open = &p.Request
	}
	if p.Then == nil {
		return nil
	}
	return p.Then(ctx, s, p.Request.Proven(user, *f, s.Now), *account)
}

// addressState returns the state of the caller's address; nil: attempts in the login are counted
// before they are compared.
func (p Login) addressState() *storage.AddressState {
	if p.Detached != nil {
		return nil
	}
	return p.Address
}

// name is what a challenge of the login names: its request, until that is restarted.
func (p Login) name() string {
	return string(p.Request.ID) + "/" + strconv.FormatInt(p.Request.Restarts, 10)
}

// share returns how much of a total a caller may use: callers who do not own the login leave
// half to the owner.
func (p Login) share(total int) int {
	if p.Detached != nil {
		return (total + 1) / 2
	}
	return total
}

// maskUser returns the masked subject of a user in a login. Until a user is identified it
// depends on the typed name: two names of one user get different ones.
func (v *Verifier) maskUser(p Login, user storage.UserID) string {
	if p.Sub != "" {
		return p.Sub
	}
	if p.nameOnly() {
		user = storage.FromBytes[storage.UserID](v.hash128("name's user", string(v.digest(p.Identifier))))
	}
	return v.keyring.Mask(p.Request.ID, user)
}

// verdict applies the policy table to the proofs of the request.
func (v *Verifier) verdict(p Login) mfa.Verdict {
	return mfa.Require(p.Policy, p.Account, p.Request.Factors, p.Requirements, v.infos, v.now())
}

// allows reports whether the login's client allows a method.
func (p Login) allows(v *Verifier, i mfa.Info) bool {
	return mfa.Rules{Policy: p.Policy, Methods: v.infos}.Allows(i)
}

// factorOf returns the factor of a proof.
func factorOf(p mfa.Proof, t try) *storage.Factor {
	return &storage.Factor{Method: t.method.Info().Name, New: t.news, Authenticator: p.Authenticator, Kinds: p.Kinds, AMR: p.AMR,
		PhishingResistant: p.PhishingResistant, Hardware: p.Hardware, At: t.attempt.Now.Truncate(time.Microsecond)}
}
