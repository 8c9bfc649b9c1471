package exchange

import (
	"context"

	"sallyport/mfa"
	"sallyport/storage"
)

// Prove checks a response on a login page, which combines Initiate, Verify and Redeem.
// Without an exchange, counting the attempt creates the status, so that showing the page
// writes nothing; a right response that is not counted needs none. A right response makes the
// status redeemed and adds the factor in one transaction.
//
// It returns the exchange for the next response; "": the next one starts a new try.
func (v *Verifier) Prove(ctx context.Context, caller mfa.Caller, p Login, c Choice, exchange storage.ExchangeID, r mfa.Response) (storage.ExchangeID, error) {
	target, err := v.choose(p, c)
	if err != nil {
		return "", err
	}
	var open openStatus
	err = v.process(ctx, caller, response{method: target.method, attempt: v.attempt(caller, p, target), subject: target.subject,
		client: p.Request.ClientID, text: r, address: p.addressState(), disabled: isDisabled(p.Account), conflict: mfa.RequestChanged,
		open: func() (openStatus, error) {
			var err error
			open, err = v.openOrCreate(ctx, caller, p, target, exchange)
			return open, err
		},
		spend: func(ctx context.Context, s *storage.Spend, t try, proof mfa.Proof) error {
			if p.Request.Subject != "" && p.Request.Subject != proof.User {
				return &mfa.Error{Code: mfa.InvalidCredentials}
			}
			if !t.uncounted { // no status was created
				s.Status = t.move(storage.StatusMove{Exchange: open.exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed,
					Request: p.Request.ID, Method: target.info.Name, Usage: target.usage}, proof)
			}
			f := factorOf(proof, t)
			v.rememberDevice(caller, s, p, target.usage, *f)
			if err := p.addFactor(ctx, s, t.attempt.Account, f); err != nil || !t.uncounted || s.Request == nil {
				return err
			}
			s.Request.MaxInitiations = open.new.MaxInitiations // as a count would demand
			return nil
		}})
	switch code := mfa.CodeOf(err); code {
	case mfa.InvalidExchange:
		if open.new != nil {
			return "", v.conflictError(p, nil)
		}
		return "", err
	case mfa.InvalidPasscode, mfa.InvalidCredentials, mfa.Replayed:
		if open.last {
			return "", err
		}
		return open.exchange, err
	case mfa.RequestChanged:
		return "", err
	}
	if err == nil {
		return "", nil
	}
	return exchange, err
}

// rememberDevice adds the device to the writes of a proof, if the login asks for that.
func (v *Verifier) rememberDevice(caller mfa.Caller, s *storage.Spend, p Login, usage string, f storage.Factor) {
	if p.Remember == nil || usage != mfa.UsageSecond {
		return
	}
	d := *p.Remember
	d.Factor = f
	s.Remember = &d
	s.Events = append(s.Events, v.event(caller, storage.Event{UserID: d.UserID, ClientID: p.Request.ClientID,
		Detail: map[string]string{"method": f.Method, "device": string(d.ID)}}, mfa.EventDeviceRemembered, mfa.OutcomeOK, ""))
}

// openOrCreate returns the open status of an exchange, or a new one without an exchange.
func (v *Verifier) openOrCreate(ctx context.Context, caller mfa.Caller, p Login, t target, exchange storage.ExchangeID) (openStatus, error) {
	if exchange == "" {
		if t.info.Sends { // Initiate sends what the response is to
			return openStatus{}, &mfa.Error{Code: mfa.InvalidExchange}
		}
		n, err := v.newStatus(caller, p, t, mfa.Begun{})
		return openStatus{exchange: n.Status.Exchange, new: &n, state: v.dataOf(n.Status).State, last: v.o.MaxAttempts == 1}, err
	}
	s, _, err := v.findPending(ctx, caller, exchange)
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
	return v.openStatusOf(s, exchange), nil
}

// openStatusOf returns a stored status as an openStatus.
func (v *Verifier) openStatusOf(s storage.Status, exchange storage.ExchangeID) openStatus {
	return openStatus{exchange: exchange, last: s.Attempts+1 >= v.o.MaxAttempts, state: v.dataOf(s).State}
}
