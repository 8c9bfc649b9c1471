package reset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// codes is the number of codes: nine digits (docs/decisions/0120).
const codes = 1_000_000_000

// Reasons for which a user who asked gets no message.
const (
	noAddress  = "no_address" // none that is verified
	noPassword = "no_password"
	sameNumber = "second_factor" // the only number gets the codes of the second factor
	noCountry  = "address_not_allowed"
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
	jobAsker       = "asker"
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
		jobCorrelation: caller.CorrelationID, jobLogin: caller.Login, jobAsker: asker(caller, back)}, CreatedAt: now, NextAt: now, ExpiresAt: now.Add(r.o.Life)}
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
	to, reason := r.recipient(a, d[jobName])
	event := storage.Event{ID: storage.EventID(m.ID), Kind: mfa.EventResetRequested, UserID: a.User.ID, ClientID: storage.ClientID(d[jobClient])}
	own := passwordOf(a)
	switch {
	case !a.User.In():
		return r.refuse(caller, event, inactive)
	case own == nil:
		return r.refuse(caller, event, noPassword)
	case to == nil:
		return r.refuse(caller, event, reason)
	}
	t, err := r.ticket(m, now, *to, state{Asker: d[jobAsker], Password: own.ID, Counter: own.Counter, Request: storage.RequestID(d[jobRequest])})
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

// asker names the browser that asks for a message and types its code, or without one the login. It is
// a capability: the value of a cookie, or the ID of a request, both of 128 bits or more.
func asker(caller mfa.Caller, back Return) string {
	key := "browser|" + caller.Browser
	switch {
	case caller.Browser == "" && back.Request == "":
		return ""
	case caller.Browser == "":
		key = "request|" + string(back.Request)
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// bound is what is stored of a code: it is right for its asker alone, so that no other browser can
// use up the guesses at it (docs/decisions/0120).
func bound(asker, code string) string { return asker + "|" + code }

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
	n, err := mfa.Uniform(r.random, codes)
	if err != nil {
		return storage.NewTicket{}, err
	}
	link, code, until := storage.Random128(r.random), fmt.Sprintf("%09d", n), now.Add(r.o.Life)
	out := storage.NewTicket{
		// Apart from the counter of codes: who requests codes for an address must not keep its
		// owner from a new password.
		Sends: []storage.Throttle{r.counter(throttle.SendAddress, "address|"+to.Value)}}
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
	out.Ticket = storage.Ticket{ID: storage.TicketID(m.ID), Purpose: Purpose, UserID: to.UserID, Identifier: to.ID, Link: link, Code: bound(s.Asker, code),
		ClientID: storage.ClientID(m.Data[jobClient]), Data: data, CreatedAt: now, ExpiresAt: until}
	out.Messages = []storage.Message{{ID: storage.MessageID(storage.TimeOrdered(now, r.random)), Kind: kind, Recipient: to.Text(),
		Template: notice.PasswordReset, Locale: m.Locale, CreatedAt: now, NextAt: now, ExpiresAt: until,
		Data: map[string]string{"product": r.o.Product, "link": r.o.Page + link, "code": code, "minutes": strconv.Itoa(int(r.o.Life / time.Minute))}}}
	return out, nil
}
