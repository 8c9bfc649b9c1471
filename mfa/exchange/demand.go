package exchange

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// demand returns what demands an enrollment code of an account before it enrols a second factor,
// because an administrator has reset its factors; nil: nothing does.
func (v *Verifier) demand(a *storage.Account) *storage.Authenticator {
	if v.HasSecond(*a) {
		return nil // the proof of a factor is demanded
	}
	return enrollcode.Of(a)
}

// meetsDemand reports whether an enrolment was begun with the code that its account demands.
func (v *Verifier) meetsDemand(s storage.Status, a *storage.Account) bool {
	demand := v.demand(a)
	return demand == nil || v.dataOf(s).Demand == demand.ID
}

// EnrollmentDemand is a demand for an enrollment code.
type EnrollmentDemand struct {
	Addresses []string // masked, that a code can be mailed to
}

// EnrollmentDemand returns the demand that an account must meet to enrol a second factor; nil:
// there is none.
func (v *Verifier) EnrollmentDemand(a *storage.Account) *EnrollmentDemand {
	if a == nil || v.demand(a) == nil {
		return nil
	}
	var d EnrollmentDemand
	if v.o.SendsMail {
		for _, address := range enrollcode.Addresses(a) {
			d.Addresses = append(d.Addresses, mfa.MaskAddress(address))
		}
	}
	return &d
}

// CheckEnrollmentCode checks a code before the user chooses what to enrol. Enroll checks it again.
func (v *Verifier) CheckEnrollmentCode(ctx context.Context, caller mfa.Caller, e Enrollee, code string) error {
	if err := v.checkFresh(e, 0); err != nil {
		return err
	}
	return v.proveDemand(ctx, caller, e, code)
}

// proveDemand checks the enrollment code that begins an enrolment, if one is demanded. It counts
// as a second factor does. The code is used up when the enrolment is confirmed.
func (v *Verifier) proveDemand(ctx context.Context, caller mfa.Caller, e Enrollee, code string) error {
	account := &e.owner.Account
	demand := v.demand(account)
	switch {
	case demand == nil:
		return nil
	case code == "" && demand.State == storage.AuthenticatorDisabled:
		return &mfa.Error{Code: mfa.Locked}
	case code == "":
		return &mfa.Error{Code: mfa.EnrollmentCodeRequired}
	}
	attempt := mfa.Attempt{Account: account, Usage: mfa.UsageSecond, Locale: caller.Locale, Now: v.now()}
	return v.process(ctx, caller, response{method: v.enrollcode, attempt: attempt, subject: v.subjectOf(account, ""), client: e.owner.Client,
		text: mfa.Typed(code), conflict: mfa.RequestChanged,
		spend: func(context.Context, *storage.Spend, try, mfa.Proof) error { return nil }})
}

// MailEnrollmentCode mails a code to every address of EnrollmentDemand. It returns NotConfigured
// where none can be mailed, TooManyMessages during the pause, and ReauthenticationRequired
// without the proof that an enrolment needs.
func (v *Verifier) MailEnrollmentCode(ctx context.Context, caller mfa.Caller, e Enrollee) error {
	if err := v.checkFresh(e, 0); err != nil {
		return err
	}
	account, now := &e.owner.Account, v.now()
	demand := v.demand(account)
	if demand == nil || !v.o.SendsMail {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if demand.State == storage.AuthenticatorDisabled {
		return &mfa.Error{Code: mfa.Locked}
	}
	addresses := enrollcode.Addresses(account)
	if len(addresses) == 0 {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	change, code, err := v.enrollcode.Mail(*demand, now)
	if err != nil {
		return err
	}
	event := e.owner.Event(mfa.EventMFAInitiated, enrollcode.Name, demand.ID)
	event.Detail["usage"] = mfa.UsageEnroll
	s := storage.Spend{Now: now, Credential: &change, Events: []storage.Event{v.journal.Event(caller, event)}}
	for _, to := range addresses {
		s.Messages = append(s.Messages, notice.Message(now, v.random, caller.Locale, to, notice.EnrollmentCode,
			map[string]string{"product": v.o.Product, "code": code, "minutes": strconv.Itoa(int(enrollcode.MailLife.Minutes()))}, now.Add(enrollcode.MailLife)))
	}
	err = v.store.Spend(ctx, s)
	if errors.Is(err, storage.ErrConflict) {
		return &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: enrollcode.Pause} // another call has mailed one
	}
	if err != nil {
		return fmt.Errorf("mail enrollment code: %w", err)
	}
	return nil
}
