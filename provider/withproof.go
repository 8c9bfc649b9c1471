package provider

import (
	"context"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/storage"
)

// Proven is what follows from a proof.
type Proven struct {
	// Step is the next one, without another read; its Kind is "" if there was no proof, or it
	// must be read.
	Step Step
	// Finished, if not nil, is the end of the login: nothing was missing after the proof.
	Finished *Finished
}

// WithProof returns the login of a step, to prove a factor in, and what will follow from the proof.
// A login of the caller's browser in which nothing is missing then ends in the transaction of the
// proof.
func (p *Provider) WithProof(st *Step, v mfa.Caller) (exchange.Login, *Proven) {
	out := &Proven{}
	login := st.Login
	if !st.Owned || !st.InBrowser || login.Detached != nil {
		return login, out
	}
	login.Then = func(ctx context.Context, s *storage.Spend, proven storage.AuthRequest, user storage.Account) error {
		if user.User.Status == storage.UserPending {
			user.User.Status = storage.UserActive // by this proof
		}
		ask := st.ask
		ask.Request = proven.ID
		next, err := p.newStep(ctx, st.request, proven, &user, "", ownership{owned: true, inBrowser: true}, ask)
		if err != nil {
			return err
		}
		next.Login.Sub = p.Masked(next)
		*out = Proven{Step: next}
		if next.Kind != StepDone {
			return nil
		}
		if s.Request.Open != nil && !proven.ExpiresAt.After(p.now()) {
			return &mfa.Error{Code: mfa.UnknownRequest}
		}
		if s.Credential != nil && s.Activate == "" {
			s.Credential.UserAt = user.User.UpdatedAt // what is missing depends on the user
		}
		f, done, err := p.ending(ctx, next, v, st.ask.SignedIn)
		if err != nil {
			return err
		}
		s.Finish, out.Finished = &f, &done
		if s.Request.Open != nil {
			s.Request = nil // its grant shows that it ended
		} else {
			s.Request.State = storage.RequestCompleted
		}
		return nil
	}
	return login, out
}
