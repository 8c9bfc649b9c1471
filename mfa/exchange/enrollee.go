package exchange

import (
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// againAfter is how old the proof of an existing factor may be when another one is
// enrolled or one is removed.
const againAfter = 5 * time.Minute

// Enrollee is the user an authenticator is enrolled for: of a login, or signed in.
type Enrollee struct {
	login *Login
	owner mfa.Owner // of a login: the account, its counted factors, the client
}

// InLogin is the user that a login has identified.
func (v *Verifier) InLogin(p Login) Enrollee {
	o := mfa.Owner{Client: p.Request.ClientID, Origin: "login"}
	if verdict := v.verdict(p); verdict.Need != mfa.NeedFirst && p.Account != nil && p.Request.Subject == p.Account.User.ID {
		o.Account, o.Factors = *p.Account, verdict.Counted
	}
	return Enrollee{login: &p, owner: o}
}

// SignedIn is a user who looks after their own account.
func SignedIn(o mfa.Owner) Enrollee { return Enrollee{owner: o} }

// Fresh says whether a signed-in user may change factors now: one who holds a second
// factor must have proven one within the last five minutes, any other must have signed in
// within Options.Reauth (M-9). A thief has a password alone: it must never be enough to
// add a factor where there is one.
func (v *Verifier) Fresh(o mfa.Owner) error { return v.fresh(SignedIn(o), 0) }

// fresh is Fresh for every enrollee, with patience for what was begun before it was too late.
func (v *Verifier) fresh(e Enrollee, patience time.Duration) error {
	o := e.owner
	if o.Account.User.ID == "" || !o.Account.User.In() {
		if e.login != nil {
			return &mfa.Error{Code: mfa.ReauthenticationRequired}
		}
		return &mfa.Error{Code: mfa.NotSignedIn}
	}
	limit, held := v.now().Add(-v.o.Reauth-patience), v.HasSecond(o.Account)
	if held {
		limit = v.now().Add(-againAfter - patience)
	}
	known, young := e.login != nil, false
	for _, f := range o.Factors {
		i, ok := v.Info(f.Method)
		if !ok || !stillActive(o.Account, i, f) {
			continue
		}
		known = known || i.First
		young = young || (i.Second || !held) && !f.At.Before(limit)
	}
	if known && young {
		return nil
	}
	return &mfa.Error{Code: mfa.ReauthenticationRequired}
}

// stillActive reports whether a factor was proven with something the account still has.
// What was removed, changed or disabled meanwhile proves nothing any more.
func stillActive(a storage.Account, i mfa.Info, f storage.Factor) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return x.State == storage.AuthenticatorActive && mfa.GivenBy(x, i, f)
	})
}

// HasSecond reports whether an account holds any second factor, usable or not.
func (v *Verifier) HasSecond(a storage.Account) bool { return mfa.HasSecond(&a, v.infos) }

// Lasting are the second factors a user can do with alone: recovery codes are not.
func (v *Verifier) Lasting() []string {
	var out []string
	for _, i := range v.infos {
		if i.Second && i.Standalone() {
			out = append(out, i.Name)
		}
	}
	return out
}

// basis is what an enrolment outside a login is begun under: the session, the token and
// the secret the user chose.
func (v *Verifier) basis(o mfa.Owner) *storage.Basis {
	b := storage.Basis{User: o.Account.User.ID, Session: o.Session, Grant: o.Grant}
	for _, a := range o.Account.Authenticators {
		if i, _ := v.Info(a.Method); i.First && i.Chosen {
			b.Secret, b.Was = a.ID, a.Counter
		}
	}
	return &b
}

// event is the audit line about an authenticator of the enrollee.
func (e Enrollee) event(kind, method string, id storage.AuthenticatorID) storage.Event {
	return e.owner.Event(kind, method, id)
}
