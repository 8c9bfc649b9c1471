package exchange

import (
	"context"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/storage"
)

// Login takes an identifier and a password and adds the factor to the request, whose
// subject it sets. Unknown and disabled users cost and get the same as a wrong password.
//
// A request that has a subject keeps it. An identifier of another user is refused as a
// wrong password, whether it exists or not: the page offers to start over for another user.
func (v *Verifier) Password(ctx context.Context, caller mfa.Caller, p Login, password string) error {
	m := v.passwordMethod()
	if m == nil || !p.allows(v, m.Info()) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if !utf8.ValidString(password) || p.Identifier == "" && p.Account == nil {
		return &mfa.Error{Code: mfa.InvalidRequest}
	}
	account := p.Account
	if v.namesAnother(p) {
		account = nil
	}
	attempt := mfa.Attempt{Account: account, Usage: mfa.UsageFirst, Locale: caller.Locale, Now: v.now()}
	return v.answer(ctx, caller, response{method: m, attempt: attempt, subject: v.subjectOf(account, p.Identifier),
		client: p.Request.ClientID, text: mfa.Typed(password), conflict: mfa.RequestChanged,
		spend: func(s *storage.Spend, t try, proof mfa.Proof) error {
			p.advance(s, proof.User, proven(proof, t), t.attempt.Now)
			return nil
		}})
}

// password is the first factor whose value users choose; nil: there is none.
func (v *Verifier) passwordMethod() mfa.Method {
	for _, i := range v.infos {
		if i.First && i.Chosen && i.Typed {
			return v.methods[i.Name]
		}
	}
	return nil
}

// Check is a response of a signed-in user that belongs to no login: it proves that they
// know the value they chose, before they change it.
type Check struct {
	Owner    mfa.Owner
	Method   mfa.Method
	Response mfa.Response
	Event    storage.Event // of the right response: kind, client, session
	// Spend adds to what a right response writes, before the method's place is given back.
	Spend func(s *storage.Spend, p mfa.Proof) error
}

// Check counts, compares and spends a response. It is counted like one at a login: a
// session left open is no place to guess. RequestChanged: something else was written first.
func (v *Verifier) Check(ctx context.Context, caller mfa.Caller, c Check) error {
	attempt := mfa.Attempt{Account: &c.Owner.Account, Usage: mfa.UsageFirst, Locale: caller.Locale, Now: v.now()}
	return v.answer(ctx, caller, response{method: c.Method, attempt: attempt, subject: v.subjectOf(&c.Owner.Account, ""),
		client: c.Owner.Client, text: c.Response, event: &c.Event, conflict: mfa.RequestChanged, keepsPlace: true,
		spend: func(s *storage.Spend, t try, p mfa.Proof) error {
			defer t.release()
			s.Credential = &p.Spend
			s.KeepSession = c.Owner.Session
			s.Renew = &storage.Renewal{User: p.User, Factor: *proven(p, t)}
			return c.Spend(s, p)
		}})
}
