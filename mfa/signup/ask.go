package signup

import (
	"context"
	"encoding/hex"
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

// Reasons for which an address gets no link.
const (
	taken      = "taken"       // it is of a user, who is told
	notInvited = "not_invited" // it is of nobody, and strangers cannot sign up
	off        = "off"
	tooMany    = "too_many_messages"
)

// jobAddress is the key of the address in a job, as it was typed.
const jobAddress = "address"

// Ask requests a message to an e-mail address. It reads no user. NotConfigured: nobody can sign up.
// InvalidIdentifier: it is no e-mail address. TooManyMessages: too many were requested for the
// address, or from the caller's network.
func (s *SignUps) Ask(ctx context.Context, caller mfa.Caller, address string, back ticket.Return) error {
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
	return s.tickets.Ask(ctx, caller, "address|"+i.Value, back, map[string]string{jobAddress: i.Text()})
}

// Repeatable implements delivery.Sender: a job has one ticket, whose ID is that of the job.
func (s *SignUps) Repeatable() bool { return true }

// Send implements delivery.Sender: it turns a job into a ticket and its message, or tells the user
// who has the address.
func (s *SignUps) Send(ctx context.Context, m delivery.Outgoing) error {
	again := &delivery.Retry{Reason: "storage"}
	i, err := mfa.Identify(m.Data[jobAddress])
	if err != nil {
		return &delivery.Permanent{Reason: "address"}
	}
	h, err := s.holder(ctx, i)
	if err != nil {
		return again
	}
	c, err := s.client(ctx, ticket.JobOf(m).Return.Client)
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
	now := s.now()
	line := s.journal.Event(ticket.JobOf(m).Caller, event)
	line.ID = storage.EventID(m.ID)
	sends := []storage.Throttle{s.tickets.Counter(throttle.SendAddress, "to|"+i.Value)}
	var err error
	switch {
	case h.taken && event.Detail["reason"] == taken:
		s.journal.Note(line)
		told := notice.Message(now, s.random, notice.Locale(h.account, m.Locale), h.address.Text(), notice.SignUpTaken, map[string]string{"product": s.o.Product, "time": now.UTC().Format(time.RFC3339)}, now.Add(s.o.Life))
		told.ID = s.told(m.ID)
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

// told is the ID of the message that a job writes to a user, one however often the job is done.
func (s *SignUps) told(job storage.MessageID) storage.MessageID {
	const ours = len("00000000-0000-0000-0000-") // with the time
	return job[:ours] + storage.MessageID(hex.EncodeToString(s.keyring.Hash("sign up told", string(job)))[:len(job)-ours])
}

// ticket returns the ticket of a job with its message. It belongs to the address, also where a pending
// user has that: nothing says so before the proof.
func (s *SignUps) ticket(m delivery.Outgoing, now time.Time, i storage.Identifier, client storage.ClientID) (storage.NewTicket, error) {
	t, values, err := s.tickets.New(m, now)
	if err != nil {
		return storage.NewTicket{}, err
	}
	job := ticket.JobOf(m)
	data, err := json.Marshal(state{Address: i.Text(), User: storage.UserID(storage.Random128(s.random)), Request: job.Return.Request, Asker: job.Asker})
	if err != nil {
		return storage.NewTicket{}, fmt.Errorf("write ticket: %w", err)
	}
	t.Address, t.ClientID, t.Data = i.Value, client, data
	return storage.NewTicket{Ticket: t, Messages: []storage.Message{notice.Message(now, s.random, m.Locale, i.Text(), notice.SignUp, values, t.ExpiresAt)}}, nil
}

// Guess returns the link of a code that is typed in the browser, or the login, that asked for it.
// InvalidPasscode: it is wrong, expired or of another asker, or there were too many wrong ones of this
// asker for the address, which the response must not tell apart.
func (s *SignUps) Guess(ctx context.Context, caller mfa.Caller, address, code string, back ticket.Return) (Opened, error) {
	i, err := mfa.Identify(address)
	if err != nil {
		return Opened{}, err
	}
	if i.Kind != storage.Email {
		return Opened{}, &mfa.Error{Code: mfa.InvalidIdentifier}
	}
	code, err = s.tickets.Code(caller, code)
	if err != nil {
		return Opened{}, err
	}
	subject := "address|" + i.Value
	t, err := s.tickets.Guess(ctx, caller, back, subject, code, storage.TicketGuess{Address: i.Value})
	refused, waits := errors.AsType[*storage.RefusedError](err)
	switch {
	case waits && refused.First: // one line, whoever goes on guessing
		line, err := s.tickets.Line(ctx, subject)
		if err != nil {
			return Opened{}, err
		}
		if line {
			s.journal.Note(s.journal.Event(caller, storage.Event{Kind: mfa.EventSignUpFailed, Outcome: mfa.OutcomeRefused}))
		}
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
