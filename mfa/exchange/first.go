package exchange

import (
	"context"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Offer is a challenge that nothing is stored for.
type Offer struct {
	Challenge mfa.Challenge
	ExpiresAt time.Time
}

// Offer returns a challenge for a page, and writes nothing: its response names the login, and is
// right for First or Prove without an exchange. It returns NotConfigured for a method without such
// challenges, and the errors of Initiate for a choice that the login cannot make.
func (v *Verifier) Offer(ctx context.Context, caller mfa.Caller, p Login, c Choice) (Offer, error) {
	t, err := v.choose(p, c)
	if err != nil {
		return Offer{}, err
	}
	if !t.info.Challenged {
		return Offer{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	a := v.attempt(caller, p, t)
	begun, err := t.method.Begin(ctx, a)
	if err != nil {
		return Offer{}, err
	}
	return Offer{Challenge: begun.Challenge, ExpiresAt: a.Now.Add(v.ttl(begun))}, nil
}

// First checks the response of a method that identifies its user to an Offer, adds the factor to
// the request and sets its subject. p.Account is the user whom the response names, if there is
// one (provider.Ask.Credential). It returns InvalidCredentials for a wrong response.
func (v *Verifier) First(ctx context.Context, caller mfa.Caller, p Login, method string, r mfa.Response) error {
	m, ok := v.methods[method]
	if !ok || !m.Info().First || !m.Info().Challenged || !p.allows(v, m.Info()) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	attempt := mfa.Attempt{Account: p.Account, Usage: mfa.UsageFirst, Login: p.name(), Locale: caller.Locale, Now: v.now()}
	out := v.firstResponse(p, m, attempt, r)
	if p.Account == nil {
		out.attempt.Account = &storage.Account{} // nobody: the method need not look again
	}
	return v.process(ctx, caller, out)
}

// firstResponse is a response to a first factor on a page, without a status.
func (v *Verifier) firstResponse(p Login, m mfa.Method, a mfa.Attempt, r mfa.Response) response {
	return response{method: m, attempt: a, subject: v.subjectOf(a.Account, p.Identifier), client: p.Request.ClientID, text: r,
		address: p.addressState(), disabled: isDisabled(a.Account), conflict: mfa.RequestChanged,
		spend: func(ctx context.Context, s *storage.Spend, t try, proof mfa.Proof) error {
			return p.addFactor(ctx, s, t.attempt.Account, factorOf(proof, t))
		}}
}
