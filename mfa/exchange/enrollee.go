package exchange

import (
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// maxFactorAge is the maximum age of a second-factor proof when another factor is enrolled
// or one is removed.
const maxFactorAge = 5 * time.Minute

// Enrollee is the user an authenticator is enrolled for, in a login or signed in.
type Enrollee struct {
	login *Login
	owner mfa.Owner // of a login: the account, its counted factors, the client
}

// InLogin returns the user that a login has identified, without an account if there is none.
func (v *Verifier) InLogin(p Login) Enrollee {
	o := mfa.Owner{Client: p.Request.ClientID, Origin: "login"}
	if verdict := v.verdict(p); verdict.Need != mfa.NeedFirst && p.Account != nil && p.Request.Subject == p.Account.User.ID {
		o.Account, o.Factors = *p.Account, verdict.Factors
	}
	return Enrollee{login: &p, owner: o}
}

// SignedIn returns a user who manages their own account.
func SignedIn(o mfa.Owner) Enrollee { return Enrollee{owner: o} }

// CheckFresh returns ReauthenticationRequired unless a signed-in user may change factors now:
// with a second factor the proof of one must be at most five minutes old, without one the
// login must be within Options.Reauth (M-9). A stolen password alone must not add a factor
// to an account that has one, nor must a stolen device: where a second factor is held, the proofs
// reach AAL2, if the account can.
func (v *Verifier) CheckFresh(o mfa.Owner) error { return v.checkFresh(SignedIn(o), 0) }

// checkFresh is CheckFresh for any enrollee, with an additional age that proofs may have.
func (v *Verifier) checkFresh(e Enrollee, grace time.Duration) error {
	o := e.owner
	if o.Account.User.ID == "" || !o.Account.User.In() {
		if e.login != nil {
			return &mfa.Error{Code: mfa.ReauthenticationRequired}
		}
		return &mfa.Error{Code: mfa.NotSignedIn}
	}
	limit, held := v.now().Add(-v.o.Reauth-grace), v.HasSecond(o.Account)
	if held {
		limit = v.now().Add(-maxFactorAge - grace)
	}
	known, young := e.login != nil, false
	for _, f := range o.Factors {
		i, ok := v.Info(f.Method)
		if !ok || !isActive(o.Account, i, f) {
			continue
		}
		known = known || i.First
		young = young || (i.Second || !held) && !f.At.Before(limit)
	}
	given, best := v.Levels(o)
	if known && young && (!held || given.AtLeast(mfa.AAL2) || given.AtLeast(best)) {
		return nil
	}
	return &mfa.Error{Code: mfa.ReauthenticationRequired}
}

// Levels returns the level that an owner's valid proofs reach, and the highest that their factors
// could, disabled ones included.
func (v *Verifier) Levels(o mfa.Owner) (given, best mfa.Level) {
	var proofs, all []storage.Factor
	for _, f := range o.Factors {
		if i, ok := v.Info(f.Method); ok && mfa.FactorValid(&o.Account, i, f) {
			proofs = append(proofs, f)
		}
	}
	for _, i := range (mfa.Rules{Methods: v.infos}).EnrolledMethods(&o.Account, true) {
		all = append(all, mfa.FactorOf(i, &o.Account))
	}
	given, _ = mfa.Assess(proofs)
	best, _ = mfa.Assess(all)
	return given, best
}

// isActive reports whether the authenticator of a proof is active and unchanged.
func isActive(a storage.Account, i mfa.Info, f storage.Factor) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return x.State == storage.AuthenticatorActive && mfa.FactorMatches(x, i, f)
	})
}

// HasSecond reports whether an account holds a second factor, disabled ones included.
func (v *Verifier) HasSecond(a storage.Account) bool { return mfa.HasSecond(&a, v.infos) }

// StandaloneMethods returns the names of the second factors that need no other one.
func (v *Verifier) StandaloneMethods() []string {
	var out []string
	for _, i := range v.infos {
		if i.Second && i.Standalone() {
			out = append(out, i.Name)
		}
	}
	return out
}

// FirstMethods returns the names of the methods that users sign in with.
func (v *Verifier) FirstMethods() []string {
	var out []string
	for _, i := range v.infos {
		if i.First {
			out = append(out, i.Name)
		}
	}
	return out
}

// basis returns what an enrolment outside a login depends on: the session, the grant and the
// password. Its confirmation fails if one of them has ended or changed.
func (v *Verifier) basis(o mfa.Owner) *storage.Basis {
	b := storage.Basis{User: o.Account.User.ID, Session: o.Session, Grant: o.Grant}
	for _, a := range o.Account.Authenticators {
		if i, _ := v.Info(a.Method); i.First && i.Chosen {
			b.Secret, b.Was = a.ID, a.Counter
		}
	}
	return &b
}
