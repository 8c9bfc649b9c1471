package signup

import (
	"context"
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

// codes is the number of codes: eight digits. Ten wrong ones a day are allowed.
const codes = 100_000_000

// Reasons for which an address gets no link.
const (
	taken      = "taken"       // it is of a user, who is told
	notInvited = "not_invited" // it is of nobody, and strangers cannot sign up
	off        = "off"
	tooMany    = "too_many_messages"
)

// Keys of a job.
const (
	jobAddress     = "address" // as typed
	jobClient      = "client"
	jobRequest     = "request"
	jobNetwork     = "network"
	jobAgent       = "user_agent"
	jobCorrelation = "correlation"
	jobLogin       = "login"
	jobBrowser     = "browser"
)

// Ask requests a message to an e-mail address. It reads no user. NotConfigured: nobody can sign up.
// InvalidIdentifier: it is no e-mail address. TooManyMessages: too many were requested for the
// address, or from the caller's network.
func (s *SignUps) Ask(ctx context.Context, caller mfa.Caller, address string, back Return) error {
	mode, err := s.ModeOf(ctx, back.Client)
	if err != nil {
		return err
	}
	if mode == Off {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	i, err := mfa.Identify(address)
	if err != nil {
		return err
	}
	if i.Kind != storage.Email {
		return &mfa.Error{Code: mfa.InvalidIdentifier}
	}
	if err := s.o.Admit.Spend(caller, budget.Initiations, 1); err != nil {
		return err
	}
	now, subject := s.now(), "address|"+i.Value
	sends := []storage.Throttle{s.counter(throttle.Send, subject), s.counter(throttle.SendHour, subject)}
	if network := caller.Network(); network != "" {
		sends = append(sends, s.counter(throttle.SendNetwork, network))
	}
	job := storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, s.random)), Kind: Kind, Locale: caller.Locale, Data: map[string]string{
		jobAddress: i.Text(), jobClient: string(back.Client), jobRequest: string(back.Request), jobNetwork: caller.Address, jobAgent: caller.Agent(),
		jobCorrelation: caller.CorrelationID, jobLogin: caller.Login,
		jobBrowser: hex.EncodeToString(s.browserOf(caller))}, CreatedAt: now, NextAt: now, ExpiresAt: now.Add(s.o.Life)}
	err = s.store.PutMessages(ctx, []storage.Message{job}, sends, now)
	if refused, ok := errors.AsType[*storage.RefusedError](err); ok {
		return &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: max(refused.Until.Sub(now), time.Second)}
	}
	return mfa.Wrap("request message", err)
}

// Repeatable implements delivery.Sender: a job has one ticket, whose ID is that of the job.
func (s *SignUps) Repeatable() bool { return true }

// Send implements delivery.Sender: it turns a job into a ticket and its message, or tells the user
// who has the address.
func (s *SignUps) Send(ctx context.Context, m delivery.Outgoing) error {
	d, again := m.Data, &delivery.Retry{Reason: "storage"}
	i, err := mfa.Identify(d[jobAddress])
	if err != nil {
		return &delivery.Permanent{Reason: "address"}
	}
	h, err := s.holder(ctx, i)
	if err != nil {
		return again
	}
	c, err := s.client(ctx, storage.ClientID(d[jobClient]))
	if err != nil {
		return again
	}
	mode := s.Mode(c)
	event := storage.Event{Kind: mfa.EventSignUpRequested, Outcome: mfa.OutcomeOK, ClientID: c.ID} // not what a stranger typed
	if h.account != nil {
		event.UserID = h.account.User.ID
	}
	refuse := func(reason string) {
		event.Outcome, event.Detail = mfa.OutcomeRefused, map[string]string{"reason": reason}
	}
	switch {
	case mode == Off:
		refuse(off)
	case h.taken:
		refuse(taken)
	case mode == Invited && h.pending == nil:
		refuse(notInvited)
	}
	return s.write(ctx, m, i, h, event)
}

// write stores what a job is answered with. The line in the audit trail has the job's ID, so that there
// is one however often it is repeated.
func (s *SignUps) write(ctx context.Context, m delivery.Outgoing, i storage.Identifier, h holder, event storage.Event) error {
	d, now := m.Data, s.now()
	caller := mfa.Caller{Address: d[jobNetwork], UserAgent: d[jobAgent], CorrelationID: d[jobCorrelation], Login: d[jobLogin], Locale: m.Locale}
	line := s.journal.Event(caller, event)
	line.ID = storage.EventID(m.ID)
	sends := []storage.Throttle{s.counter(throttle.SendAddress, "to|"+i.Value)}
	var err error
	switch {
	case h.taken && event.Detail["reason"] == taken:
		s.journal.Note(line)
		told := notice.Message(now, s.random, notice.Locale(h.account, m.Locale), h.address.Text(), notice.SignUpTaken, map[string]string{"product": s.o.Product, "time": now.UTC().Format(time.RFC3339)}, now.Add(s.o.Life))
		err = s.store.PutMessages(ctx, []storage.Message{told}, sends, now)
	case event.Outcome != mfa.OutcomeOK:
		s.journal.Note(line)
	default:
		var t storage.NewTicket
		if t, err = s.ticket(m, now, i, event.ClientID); err == nil {
			t.Sends, t.Events = sends, []storage.Event{line}
			err = s.store.CreateTicket(ctx, t, now)
		}
	}
	if refused, ok := errors.AsType[*storage.RefusedError](err); ok {
		line.Outcome, line.Detail = mfa.OutcomeRefused, map[string]string{"reason": tooMany + ": " + refused.Bucket}
		s.journal.Note(line)
		return nil
	}
	if err == nil || errors.Is(err, storage.ErrConflict) { // done before
		return nil
	}
	return &delivery.Retry{Reason: "storage"}
}

// ticket returns the ticket of a job with its message. It belongs to the address, also where a pending
// user has that: nothing says so before the proof.
func (s *SignUps) ticket(m delivery.Outgoing, now time.Time, i storage.Identifier, client storage.ClientID) (storage.NewTicket, error) {
	n, err := mfa.Uniform(s.random, codes)
	if err != nil {
		return storage.NewTicket{}, err
	}
	browser, err := hex.DecodeString(m.Data[jobBrowser])
	if err != nil {
		return storage.NewTicket{}, fmt.Errorf("read browser: %w", err)
	}
	data, err := json.Marshal(state{Address: i.Text(), User: storage.UserID(storage.Random128(s.random)), Request: storage.RequestID(m.Data[jobRequest]), Browser: browser})
	if err != nil {
		return storage.NewTicket{}, fmt.Errorf("write ticket: %w", err)
	}
	link, code, until := storage.Random128(s.random), fmt.Sprintf("%08d", n), now.Add(s.o.Life)
	return storage.NewTicket{
		Ticket: storage.Ticket{ID: storage.TicketID(m.ID), Purpose: Purpose, Address: i.Value, Link: link, Code: code,
			ClientID: client, Data: data, CreatedAt: now, ExpiresAt: until},
		Messages: []storage.Message{notice.Message(now, s.random, m.Locale, i.Text(), notice.SignUp, map[string]string{
			"product": s.o.Product, "link": s.o.Page + link, "code": code, "minutes": strconv.Itoa(int(s.o.Life / time.Minute))}, until)},
	}, nil
}

// Guess returns the link of a typed code. InvalidPasscode: it is wrong or expired, or there were too
// many wrong ones for the address, which the response must not tell apart.
func (s *SignUps) Guess(ctx context.Context, caller mfa.Caller, address, code string) (Opened, error) {
	i, err := mfa.Identify(address)
	if err != nil {
		return Opened{}, err
	}
	if code == "" || i.Kind != storage.Email {
		return Opened{}, &mfa.Error{Code: mfa.InvalidRequest}
	}
	if err := s.o.Admit.Spend(caller, budget.Failures, 1); err != nil {
		return Opened{}, err
	}
	t, err := s.store.GuessTicket(ctx, storage.TicketGuess{Purpose: Purpose, Address: i.Value, Code: code, Now: s.now(), Count: s.counter(throttle.Ticket, "address|"+i.Value)})
	refused, waits := errors.AsType[*storage.RefusedError](err)
	switch {
	case waits && refused.First: // one line, whoever goes on guessing
		s.journal.Note(s.journal.Event(caller, storage.Event{Kind: mfa.EventSignUpFailed, Outcome: mfa.OutcomeRefused}))
	case waits:
	case err == nil:
		o, err := s.opened(ctx, t)
		if mfa.CodeOf(err) != mfa.InvalidExchange {
			return o, err
		}
	case !errors.Is(err, storage.ErrNotFound):
		return Opened{}, fmt.Errorf("compare code: %w", err)
	}
	return Opened{}, &mfa.Error{Code: mfa.InvalidPasscode}
}
