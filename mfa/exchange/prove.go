package exchange

import (
	"context"

	"sallyport/mfa"
	"sallyport/storage"
)

// Prove takes a response on one of our own pages, where the steps of Initiate, Verify and
// Redeem are one: without an exchange the counted attempt itself creates the status, so
// that showing the page writes nothing; a right response moves it from initiated to
// redeemed and becomes a factor in the same transaction.
//
// It returns the exchange of the next response; "" means that a new try begins.
func (v *Verifier) Prove(ctx context.Context, caller mfa.Caller, p Login, c Choice, exchange storage.ExchangeID, r mfa.Response) (storage.ExchangeID, error) {
	chosen, err := v.choose(p, c)
	if err != nil {
		return "", err
	}
	var on openStatus
	err = v.answer(ctx, caller, response{method: chosen.method, attempt: chosen.attempt(caller, v.now()), subject: chosen.subject,
		client: p.Request.ClientID, text: r, conflict: mfa.RequestChanged,
		open: func() (openStatus, error) {
			var err error
			on, err = v.openOr(ctx, caller, p, chosen, exchange)
			return on, err
		},
		spend: func(s *storage.Spend, t try, proof mfa.Proof) error {
			if p.Request.Subject != "" && p.Request.Subject != proof.User {
				return &mfa.Error{Code: mfa.InvalidCredentials}
			}
			s.Status = t.move(storage.StatusMove{Exchange: on.exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed,
				Request: p.Request.ID, Method: chosen.info.Name, Usage: chosen.usage}, proof)
			p.advance(s, proof.User, proven(proof, t), t.attempt.Now)
			return nil
		}})
	switch code := mfa.CodeOf(err); code {
	case mfa.InvalidExchange:
		if on.new != nil {
			return "", v.notOpened(p, nil)
		}
		return "", err
	case mfa.InvalidPasscode, mfa.InvalidCredentials, mfa.Replayed:
		if on.last {
			return "", err
		}
		return on.exchange, err
	case mfa.RequestChanged:
		return "", err
	}
	if err == nil {
		return "", nil
	}
	return exchange, err
}

// openOr returns the open status of an exchange, or a new one where there is none.
func (v *Verifier) openOr(ctx context.Context, caller mfa.Caller, p Login, t target, exchange storage.ExchangeID) (openStatus, error) {
	if exchange == "" {
		n, _, err := v.newStatus(ctx, caller, p, t)
		return openStatus{exchange: n.Status.Exchange, new: &n, state: v.aside(n.Status).State, last: v.o.MaxAttempts == 1}, err
	}
	s, _, err := v.pending(ctx, caller, exchange)
	if err != nil {
		return openStatus{}, err
	}
	user := storage.UserID("")
	if t.account != nil {
		user = t.account.User.ID
	}
	if !v.ofRequest(s, p.Request.ID) || s.Method != t.info.Name || s.Usage != t.usage || s.UserID != user {
		return openStatus{}, &mfa.Error{Code: mfa.InvalidExchange}
	}
	return v.opened(s, exchange), nil
}

// opened is a stored status as a response needs it.
func (v *Verifier) opened(s storage.Status, exchange storage.ExchangeID) openStatus {
	on := openStatus{exchange: exchange, last: s.Attempts+1 >= v.o.MaxAttempts}
	if s.Usage != mfa.UsageEnroll { // whose state is the session that enrols
		on.state = v.aside(s).State
	}
	return on
}
