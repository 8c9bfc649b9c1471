package exchange

import (
	"context"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// Registered adds a first factor to the request that its user has set up just now, in the same HTTP
// request: whoever chose a password, or had a device create a passkey, has shown it. proof is what
// its creation showed; zero: what the method shows. p.Account is the user. It returns NotConfigured
// where the login does not allow the method, or is another user's.
func (v *Verifier) Registered(ctx context.Context, caller mfa.Caller, p Login, id storage.AuthenticatorID, proof mfa.Proof) error {
	refused := &mfa.Error{Code: mfa.NotConfigured}
	if p.Account == nil || v.namesOtherUser(p) {
		return refused
	}
	x := p.Account.Authenticator(id)
	if x == nil || x.State != storage.AuthenticatorActive {
		return refused
	}
	m, ok := v.methods[x.Method]
	if !ok || !m.Info().First || !p.allows(v, m.Info()) {
		return refused
	}
	if len(proof.Kinds) == 0 {
		proof.Kinds, proof.AMR, proof.PhishingResistant = m.Info().Kinds, slices.Clone(m.Info().AMR), m.Info().PhishingResistant
	}
	proof.User, proof.Authenticator = p.Account.User.ID, x.ID
	// It must not have changed since, as another request could have changed it.
	proof.Spend = storage.CredentialSpend{User: proof.User, Authenticator: x.ID, Same: true, Was: x.Counter}
	attempt := mfa.Attempt{Account: p.Account, Authenticator: x, Usage: mfa.UsageFirst, Locale: caller.Locale, Now: v.now()}
	return v.process(ctx, caller, v.firstResponse(p, registered{m, proof}, attempt, nil))
}

// registered is a method whose response has been checked.
type registered struct {
	mfa.Method
	proof mfa.Proof
}

// Finish implements mfa.Method.
func (r registered) Finish(context.Context, mfa.Attempt, mfa.State, mfa.Response) (mfa.Proof, error) {
	return r.proof, nil
}
