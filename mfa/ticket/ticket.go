// Package ticket is what forgotten passwords and sign-ups have in common: who has proven nothing yet
// requests a message, and types its code.
//
// A request costs the same whoever has the name: Ask stores a job in the outbox and reads no user. In
// the background a sender turns the job into a ticket with New. What a ticket is for, and whose, is up
// to mfa/reset and mfa/signup.
package ticket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/delivery"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Digits is the number of digits of a code (docs/decisions/0120), and codes how many there are.
const (
	Digits = 9
	codes  = 1_000_000_000
)

// Keys of a job, beside those of its sender.
const (
	jobClient      = "client"
	jobRequest     = "request"
	jobNetwork     = "network"
	jobAgent       = "user_agent"
	jobCorrelation = "correlation"
	jobLogin       = "login"
	jobAsker       = "asker"
)

// Store is the part of storage that Tickets use.
type Store interface {
	PutMessages(ctx context.Context, messages []storage.Message, sends []storage.Throttle, now time.Time) error
	GuessTicket(ctx context.Context, g storage.TicketGuess) (storage.Ticket, error)
}

// Options configure Tickets.
type Options struct {
	Purpose string        // of the tickets, and the kind of their jobs
	Counter string        // names the counters
	Product string        // that messages name
	Page    string        // address of the page that the secret of a link is appended to
	Life    time.Duration // of a link and its code
	Admit   budget.Admit
}

// Tickets are the tickets of a purpose.
type Tickets struct {
	store   Store
	keyring *seal.Keyring
	now     func() time.Time
	random  io.Reader
	o       Options
}

// New returns Tickets.
func New(store Store, keyring *seal.Keyring, now func() time.Time, random io.Reader, o Options) *Tickets {
	return &Tickets{store: store, keyring: keyring, now: now, random: random, o: o}
}

// Return is where people came from and are led back to. It proves nothing.
type Return struct {
	Client  storage.ClientID
	Request storage.RequestID
}

// Ask requests a message. The subject is what was typed, for the counters; data are for the sender of
// the job. TooManyMessages: too many were requested for the subject, or from the caller's network.
func (t *Tickets) Ask(ctx context.Context, caller mfa.Caller, subject string, back Return, data map[string]string) error {
	if err := t.o.Admit.Spend(caller, budget.Initiations, 1); err != nil {
		return err
	}
	now := t.now()
	sends := []storage.Throttle{t.Counter(throttle.Send, subject), t.Counter(throttle.SendHour, subject)}
	if network := caller.Network(); network != "" {
		sends = append(sends, t.Counter(throttle.SendNetwork, network))
	}
	values := map[string]string{jobClient: string(back.Client), jobRequest: string(back.Request), jobNetwork: caller.Address, jobAgent: caller.Agent(),
		jobCorrelation: caller.CorrelationID, jobLogin: caller.Login, jobAsker: Asker(caller, back.Request)}
	maps.Copy(values, data)
	job := storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, t.random)), Kind: t.o.Purpose, Locale: caller.Locale, Data: values,
		CreatedAt: now, NextAt: now, ExpiresAt: now.Add(t.o.Life)}
	err := t.store.PutMessages(ctx, []storage.Message{job}, sends, now)
	if refused, ok := errors.AsType[*storage.RefusedError](err); ok {
		return &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: max(refused.Until.Sub(now), time.Second)}
	}
	return mfa.Wrap("request message", err)
}

// Job is who requested a message, and where.
type Job struct {
	Caller mfa.Caller // for events
	Return Return
	Asker  string // whose the code is
}

// JobOf returns the Job of a message that Ask stored.
func JobOf(m delivery.Outgoing) Job {
	d := m.Data
	return Job{
		Caller: mfa.Caller{Address: d[jobNetwork], UserAgent: d[jobAgent], CorrelationID: d[jobCorrelation], Login: d[jobLogin], Locale: m.Locale},
		Return: Return{Client: storage.ClientID(d[jobClient]), Request: storage.RequestID(d[jobRequest])},
		Asker:  d[jobAsker],
	}
}

// New returns the ticket of a job, and what the message says of it. A job has one, however often it is
// done.
func (t *Tickets) New(m delivery.Outgoing, now time.Time) (storage.Ticket, map[string]string, error) {
	n, err := mfa.Uniform(t.random, codes)
	if err != nil {
		return storage.Ticket{}, nil, err
	}
	j, link, code := JobOf(m), storage.Random128(t.random), fmt.Sprintf("%0*d", Digits, n)
	values := map[string]string{"product": t.o.Product, "link": t.o.Page + link, "code": code, "minutes": strconv.Itoa(int(t.o.Life / time.Minute))}
	return storage.Ticket{ID: storage.TicketID(m.ID), Purpose: t.o.Purpose, Link: link, Code: bound(j.Asker, code), ClientID: j.Return.Client,
		CreatedAt: now, ExpiresAt: now.Add(t.o.Life)}, values, nil
}

// Code reads a typed code, and spends the caller's budget of wrong ones.
func (t *Tickets) Code(caller mfa.Caller, typed string) (string, error) {
	code := input.Code(typed)
	if code == "" {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return code, t.o.Admit.Spend(caller, budget.Failures, 1)
}

// Guess compares a code with those of g, which names a user or an address, and of the asker. It counts
// for the subject and the asker, so that nobody uses up the guesses of another. It returns the errors
// of storage.Tickets.
func (t *Tickets) Guess(ctx context.Context, caller mfa.Caller, back Return, subject, code string, g storage.TicketGuess) (storage.Ticket, error) {
	own := Asker(caller, back.Request)
	g.Purpose, g.Code, g.Now = t.o.Purpose, bound(own, code), t.now()
	g.Count = t.Counter(throttle.Ticket, subject+"|"+own)
	g.Count.Schedule = throttle.PerAsker()
	return t.store.GuessTicket(ctx, g)
}

// Line reports whether a wrong code for a subject gets a line in the audit trail, and counts it. Whoever
// invents askers gets as many guesses as they like, but no more lines than one counter allows, and one
// of its wait. It refuses nothing else.
func (t *Tickets) Line(ctx context.Context, subject string) (bool, error) {
	err := t.store.PutMessages(ctx, nil, []storage.Throttle{t.Counter(throttle.Ticket, "line|"+subject)}, t.now())
	if refused, waits := errors.AsType[*storage.RefusedError](err); waits {
		return refused.First, nil
	}
	return err == nil, mfa.Wrap("count wrong code", err)
}

// Counter returns a counter of a subject.
func (t *Tickets) Counter(bucket, subject string) storage.Throttle {
	return storage.Throttle{Key: storage.ThrottleKey{Bucket: bucket, Subject: t.keyring.Hash(t.o.Counter, subject)}, Schedule: throttle.Schedule(bucket)}
}

// Asker names the browser that requests a message and types its code, or without one the login. It is
// a capability: of the value of a cookie, or of the ID of a request, both of 128 bits or more. "":
// neither.
func Asker(caller mfa.Caller, request storage.RequestID) string {
	key := "browser|" + caller.Browser
	switch {
	case caller.Browser == "" && request == "":
		return ""
	case caller.Browser == "":
		key = "request|" + string(request)
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// bound is what is stored of a code: it is right for its asker alone (docs/decisions/0120).
func bound(asker, code string) string { return asker + "|" + code }
