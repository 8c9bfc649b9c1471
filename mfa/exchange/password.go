package exchange

import (
	"context"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/storage"
)

// Password checks an identifier and a password, adds the factor to the request and sets its
// subject. Unknown and disabled users cost and return the same as a wrong password.
//
// A request keeps its subject. Identifiers of other users, existing or not, are refused as a
// wrong password; the page offers to start over as another user.
func (v *Verifier) Password(ctx context.Context, caller mfa.Caller, p Login, password string) error {
	m := v.passwordMethod()
	if m == nil || !p.allows(v, m.Info()) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if !utf8.ValidString(password) || p.Identifier == "" && p.Account == nil {
		return &mfa.Error{Code: mfa.InvalidRequest}
	}
	account := p.Account
	if v.namesOtherUser(p) {
		account = nil
	}
	attempt := mfa.Attempt{Account: account, Usage: mfa.UsageFirst, Locale: caller.Locale, Now: v.now()}
	return v.process(ctx, caller, v.firstResponse(p, m, attempt, mfa.Typed(password)))
}

// passwordMethod returns the typed first factor whose value users choose; nil: none.
func (v *Verifier) passwordMethod() mfa.Method {
	for _, i := range v.infos {
		if i.First && i.Chosen && i.Typed {
			return v.methods[i.Name]
		}
	}
	return nil
}

// Check is a response of a signed-in user outside a login: the current value of a factor,
// such as the password, before it changes.
type Check struct {
	Owner    mfa.Owner
	Method   mfa.Method
	Response mfa.Response
	Event    storage.Event // of the right response: kind, client, session
	// Spend adds to the writes of a right response, while the method's place is reserved.
	Spend func(s *storage.Spend, p mfa.Proof) error
}

// Check counts, compares and spends a response. It counts as in a login: an unattended
// session must not allow guesses. RequestChanged: another write came first.
func (v *Verifier) Check(ctx context.Context, caller mfa.Caller, c Check) error {
	attempt := mfa.Attempt{Account: &c.Owner.Account, Usage: mfa.UsageFirst, Locale: caller.Locale, Now: v.now()}
	return v.process(ctx, caller, response{method: c.Method, attempt: attempt, subject: v.subjectOf(&c.Owner.Account, ""),
		client: c.Owner.Client, text: c.Response, event: &c.Event, conflict: mfa.RequestChanged, keepsPlace: true,
		spend: func(_ context.Context, s *storage.Spend, t try, p mfa.Proof) error {
			defer t.release()
			s.Credential = &p.Spend
			s.KeepSession = c.Owner.Session
			s.Renew = &storage.Renewal{User: p.User, Factor: *factorOf(p, t)}
			return c.Spend(s, p)
		}})
}
