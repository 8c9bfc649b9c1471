package reset

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/delivery"
	"sallyport/mfa/notice"
	"sallyport/mfa/throttle"
	"sallyport/mfa/ticket"
	"sallyport/storage"
)

// Reasons for which a user who asked gets no message.
const (
	noAddress  = "no_address" // none that is verified
	noPassword = "no_password"
	sameNumber = "second_factor" // the only number gets the codes of the second factor
	noCountry  = "address_not_allowed"
	inactive   = "inactive" // disabled or pending
	tooMany    = "too_many_messages"
)

// jobName is the key of the name in a job.
const jobName = "name"

// Ask requests a message for a name. It reads no user. TooManyMessages: too many were requested
// for the name, whoever has it, or from the caller's network.
func (r *Resets) Ask(ctx context.Context, caller mfa.Caller, name string, back ticket.Return) error {
	i, err := mfa.Identify(name)
	if err != nil {
		return err
	}
	return r.tickets.Ask(ctx, caller, "name|"+i.Value, back, map[string]string{jobName: i.Value})
}

// Repeatable implements delivery.Sender: a job has one ticket, whose ID is that of the job.
func (r *Resets) Repeatable() bool { return true }

// Send implements delivery.Sender: it turns a job into a ticket and its message, if the name is
// of a user who may have one.
func (r *Resets) Send(ctx context.Context, m delivery.Outgoing) error {
	job, name, now := ticket.JobOf(m), m.Data[jobName], r.now()
	caller := job.Caller
	a, err := r.store.AccountByIdentifier(ctx, name, now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return &delivery.Retry{Reason: "storage"}
	}
	to, reason := r.recipient(a, name)
	event := storage.Event{ID: storage.EventID(m.ID), Kind: mfa.EventResetRequested, UserID: a.User.ID, ClientID: job.Return.Client}
	own := passwordOf(a)
	switch {
	case !a.User.In():
		return r.refuse(caller, event, inactive)
	case own == nil:
		return r.refuse(caller, event, noPassword)
	case to == nil:
		return r.refuse(caller, event, reason)
	}
	t, err := r.ticket(m, now, *to, state{Password: own.ID, Counter: own.Counter, Request: job.Return.Request})
	if err != nil {
		return &delivery.Retry{Reason: "randomness"}
	}
	event.Outcome = mfa.OutcomeOK
	t.Events = []storage.Event{r.journal.Event(caller, event)}
	err = r.store.CreateTicket(ctx, t, now)
	if refused, ok := errors.AsType[*storage.RefusedError](err); ok {
		return r.refuse(caller, event, tooMany+": "+refused.Bucket)
	}
	switch {
	case err == nil, errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotFound): // done before, or the user is gone
		return nil
	}
	return &delivery.Retry{Reason: "storage"}
}

func (r *Resets) refuse(caller mfa.Caller, e storage.Event, reason string) error {
	e.Outcome, e.Detail = mfa.OutcomeRefused, map[string]string{"reason": reason}
	line := r.journal.Event(caller, e)
	line.ID = e.ID // one line of a job that is repeated
	r.journal.Note(line)
	return nil
}

// recipient returns the address that a message goes to: the e-mail address that was typed, else the
// first one, and without any a number (docs/decisions/0119). nil: there is none, for a reason.
func (r *Resets) recipient(a storage.Account, typed string) (to *storage.Identifier, reason string) {
	named := func(i storage.Identifier) bool { return i.Value == typed }
	every := func(storage.Identifier) bool { return true }
	if r.o.Mail {
		if to := cmp.Or(r.addressOf(a, storage.Email, named), r.addressOf(a, storage.Email, every)); to != nil {
			return to, ""
		}
	}
	reason = noAddress
	if r.o.Toll == nil {
		return nil, reason
	}
	for _, fits := range []func(storage.Identifier) bool{named, every} {
		to := r.addressOf(a, storage.Phone, func(i storage.Identifier) bool {
			if !fits(i) {
				return false
			}
			_, listed := r.o.Toll(i.Text())
			switch {
			case r.isFactor(a, i):
				reason = sameNumber
			case !listed:
				reason = noCountry
			default:
				return true
			}
			return false
		})
		if to != nil {
			return to, ""
		}
	}
	return nil, reason
}

// isFactor reports whether the codes of the user's second factor go to a number: whoever takes it over
// would have both factors.
func (r *Resets) isFactor(a storage.Account, i storage.Identifier) bool {
	return len(r.verifier.FactorsAt(a, i.Text())) > 0
}

// ticket returns the ticket of a job with its message.
func (r *Resets) ticket(m delivery.Outgoing, now time.Time, to storage.Identifier, s state) (storage.NewTicket, error) {
	t, values, err := r.tickets.New(m, now)
	if err != nil {
		return storage.NewTicket{}, err
	}
	out := storage.NewTicket{
		// Apart from the counter of codes: who requests codes for an address must not keep its
		// owner from a new password.
		Sends: []storage.Throttle{r.tickets.Counter(throttle.SendAddress, "address|"+to.Value)}}
	kind := notice.Mail
	if to.Kind == storage.Phone {
		kind = notice.SMS
		toll, _ := r.o.Toll(to.Text())
		toll = toll.On(now)
		out.Toll, s.Toll = &toll, &toll
	}
	data, err := json.Marshal(s)
	if err != nil {
		return storage.NewTicket{}, fmt.Errorf("write ticket: %w", err)
	}
	t.UserID, t.Identifier, t.Data = to.UserID, to.ID, data
	out.Ticket = t
	out.Messages = []storage.Message{{ID: storage.MessageID(storage.TimeOrdered(now, r.random)), Kind: kind, Recipient: to.Text(),
		Template: notice.PasswordReset, Locale: m.Locale, CreatedAt: now, NextAt: now, ExpiresAt: t.ExpiresAt, Data: values}}
	return out, nil
}
