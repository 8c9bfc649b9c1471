package reset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/delivery"
	"sallyport/mfa/notice"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// codes is the number of codes: eight digits. Ten wrong ones a day are allowed.
const codes = 100_000_000

// Reasons for which a user who asked gets no message.
const (
	noAddress  = "no_address" // none that is verified
	noPassword = "no_password"
	inactive   = "inactive" // disabled or pending
	tooMany    = "too_many_messages"
)

// Keys of a job.
const (
	jobName        = "name"
	jobClient      = "client"
	jobRequest     = "request"
	jobAddress     = "address"
	jobAgent       = "user_agent"
	jobCorrelation = "correlation"
	jobLogin       = "login"
)

// Ask requests a message for a name. It reads no user. TooManyMessages: too many were requested
// for the name, whoever has it, or from the caller's network.
func (r *Resets) Ask(ctx context.Context, caller mfa.Caller, name string, back Return) error {
	i, err := mfa.Identify(name)
	if err != nil {
		return err
	}
	if err := r.o.Admit.Spend(caller, budget.Initiations, 1); err != nil {
		return err
	}
	now, subject := r.now(), "name|"+i.Value
	sends := []storage.Throttle{r.counter(throttle.Send, subject), r.counter(throttle.SendHour, subject)}
	if network := caller.Network(); network != "" {
		sends = append(sends, r.counter(throttle.SendNetwork, network))
	}
	job := storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, r.random)), Kind: Kind, Locale: caller.Locale, Data: map[string]string{
		jobName: i.Value, jobClient: string(back.Client), jobRequest: string(back.Request), jobAddress: caller.Address, jobAgent: caller.Agent(),
		jobCorrelation: caller.CorrelationID, jobLogin: caller.Login}, CreatedAt: now, NextAt: now, ExpiresAt: now.Add(r.o.Life)}
	err = r.store.PutMessages(ctx, []storage.Message{job}, sends, now)
	if refused, ok := errors.AsType[*storage.RefusedError](err); ok {
		return &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: max(refused.Until.Sub(now), time.Second)}
	}
	return mfa.Wrap("request message", err)
}

// Repeatable implements delivery.Sender: a job has one ticket, whose ID is that of the job.
func (r *Resets) Repeatable() bool { return true }

// Send implements delivery.Sender: it turns a job into a ticket and its message, if the name is
// of a user who may have one.
func (r *Resets) Send(ctx context.Context, m delivery.Outgoing) error {
	d := m.Data
	caller := mfa.Caller{Address: d[jobAddress], UserAgent: d[jobAgent], CorrelationID: d[jobCorrelation], Login: d[jobLogin], Locale: m.Locale}
	now := r.now()
	a, err := r.store.AccountByIdentifier(ctx, d[jobName], now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return &delivery.Retry{Reason: "storage"}
	}
	to := addressOf(a, func(i storage.Identifier) bool { return i.Value == d[jobName] })
	if to == nil {
		to = addressOf(a, func(storage.Identifier) bool { return true })
	}
	event := storage.Event{ID: storage.EventID(m.ID), Kind: mfa.EventResetRequested, UserID: a.User.ID, ClientID: storage.ClientID(d[jobClient])}
	own := passwordOf(a)
	switch {
	case !a.User.In():
		return r.refuse(caller, event, inactive)
	case own == nil:
		return r.refuse(caller, event, noPassword)
	case to == nil:
		return r.refuse(caller, event, noAddress)
	}
	t, err := r.ticket(m, now, *to, state{Password: own.ID, Counter: own.Counter, Request: storage.RequestID(d[jobRequest])})
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

// ticket returns the ticket of a job with its message.
func (r *Resets) ticket(m delivery.Outgoing, now time.Time, to storage.Identifier, s state) (storage.NewTicket, error) {
	n, err := mfa.Uniform(r.random, codes)
	if err != nil {
		return storage.NewTicket{}, err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return storage.NewTicket{}, fmt.Errorf("write ticket: %w", err)
	}
	link, code, until := storage.Random128(r.random), fmt.Sprintf("%08d", n), now.Add(r.o.Life)
	return storage.NewTicket{
		Ticket: storage.Ticket{ID: storage.TicketID(m.ID), Purpose: Purpose, UserID: to.UserID, Identifier: to.ID, Link: link, Code: code,
			ClientID: storage.ClientID(m.Data[jobClient]), Data: data, CreatedAt: now, ExpiresAt: until},
		// Apart from the counter of codes: who requests codes for an address must not keep its
		// owner from a new password.
		Sends: []storage.Throttle{r.counter(throttle.SendAddress, "address|"+to.Value)},
		Messages: []storage.Message{{ID: storage.MessageID(storage.TimeOrdered(now, r.random)), Kind: notice.Mail, Recipient: to.Text(),
			Template: notice.PasswordReset, Locale: m.Locale, CreatedAt: now, NextAt: now, ExpiresAt: until,
			Data: map[string]string{"product": r.o.Product, "link": r.o.Page + link, "code": code, "minutes": strconv.Itoa(int(r.o.Life / time.Minute))}}},
	}, nil
}
