// Package reset lets users who forgot their password set a new one, by a link or a code that is
// sent to an address they have proven.
//
// Whoever asks gets the same response at the same cost, whatever the name: Ask stores a job
// in the outbox, and Send, in the background, finds out whether there is a user to write to.
package reset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/exchange"
	"sallyport/mfa/password"
	"sallyport/mfa/ticket"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Purpose is that of the tickets, and Kind that of the jobs in the outbox.
const (
	Purpose = "password_reset"
	Kind    = "password_reset"
)

// Store is the part of storage that Resets use.
type Store interface {
	Account(ctx context.Context, id storage.UserID) (storage.Account, error)
	AccountByIdentifier(ctx context.Context, value string, now time.Time) (storage.Account, error)
	PutMessages(ctx context.Context, messages []storage.Message, sends []storage.Throttle, now time.Time) error
	CreateTicket(ctx context.Context, t storage.NewTicket, now time.Time) error
	TicketByLink(ctx context.Context, purpose, link string) (storage.Ticket, error)
	GuessTicket(ctx context.Context, g storage.TicketGuess) (storage.Ticket, error)
}

// Setter sets the new password and spends the ticket, as users.Registry does.
type Setter interface {
	ResetPassword(ctx context.Context, v mfa.Caller, a storage.Account, plain string, t storage.TicketSpend) error
}

// Options are those of New.
func (r *Resets) Options() Options { return r.o }

// Options configure Resets.
type Options struct {
	Product string
	Page    string        // address of the page that the secret of a link is appended to
	Life    time.Duration // of a link and its code
	Mail    bool          // messages are sent by mail
	// Toll returns the limit of text messages to a number, without the day, and false if none are sent
	// to its country; nil: no text messages are sent.
	Toll  func(number string) (storage.Toll, bool)
	Admit budget.Admit
}

// Resets are the resets of forgotten passwords.
type Resets struct {
	store    Store
	verifier *exchange.Verifier
	setter   Setter
	tickets  *ticket.Tickets
	journal  *audit.Journal
	now      func() time.Time
	random   io.Reader
	o        Options
}

// New returns Resets.
func New(store Store, verifier *exchange.Verifier, setter Setter, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time, random io.Reader, o Options) *Resets {
	tickets := ticket.New(store, keyring, now, random, ticket.Options{Purpose: Purpose, Counter: "reset", Product: o.Product, Page: o.Page, Life: o.Life, Admit: o.Admit})
	return &Resets{tickets: tickets, store: store, verifier: verifier, setter: setter, journal: journal, now: now, random: random, o: o}
}

// state is the Data of a ticket: the password that it replaces, which must not have changed, and
// the login that the user came from.
type state struct {
	Password storage.AuthenticatorID `json:"password"`
	Counter  int64                   `json:"counter"`
	Request  storage.RequestID       `json:"request,omitempty"`
	Toll     *storage.Toll           `json:"toll,omitempty"` // of a text message
}

// Opened is a valid link.
type Opened struct {
	Link    string
	Name    string // what the account is shown as
	Return  ticket.Return
	ticket  storage.Ticket
	state   state
	account storage.Account
}

// Open returns what a link allows. It changes nothing. InvalidExchange: the link expired, was
// used, or never existed.
func (r *Resets) Open(ctx context.Context, link string) (Opened, error) {
	t, err := r.store.TicketByLink(ctx, Purpose, link)
	if err != nil {
		return Opened{}, mfa.Refuse("read ticket", err, storage.ErrNotFound, mfa.InvalidExchange)
	}
	return r.opened(ctx, t)
}

func (r *Resets) opened(ctx context.Context, t storage.Ticket) (Opened, error) {
	gone := &mfa.Error{Code: mfa.InvalidExchange}
	o := Opened{Link: t.Link, ticket: t, Return: ticket.Return{Client: t.ClientID}}
	if !t.Valid(r.now()) {
		return o, gone
	}
	if err := json.Unmarshal(t.Data, &o.state); err != nil {
		return o, fmt.Errorf("read ticket: %w", err)
	}
	o.Return.Request = o.state.Request
	var err error
	if o.account, err = r.store.Account(ctx, t.UserID); err != nil {
		return o, mfa.Refuse("read user", err, storage.ErrNotFound, mfa.InvalidExchange)
	}
	to := r.addressByID(o.account, t.Identifier)
	own := passwordOf(o.account)
	if !o.account.User.In() || to == nil || own == nil || own.ID != o.state.Password || own.Counter != o.state.Counter {
		return o, gone
	}
	o.Name = to.Text()
	return o, nil
}

// Guess returns the link of a code that is typed in the browser, or the login, that asked for it.
// InvalidPasscode: it is wrong, expired or of another asker, or there were too many wrong ones, which the
// response must not tell apart: names of one user share their counter. Every asker has a counter of
// its own, so that nobody uses up the guesses of another.
func (r *Resets) Guess(ctx context.Context, caller mfa.Caller, name, code string, back ticket.Return) (Opened, error) {
	i, err := mfa.Identify(name)
	if err != nil {
		return Opened{}, err
	}
	code, err = r.tickets.Code(caller, code)
	if err != nil {
		return Opened{}, err
	}
	account, err := r.store.AccountByIdentifier(ctx, i.Value, r.now())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return Opened{}, fmt.Errorf("read user: %w", err)
	}
	user := account.User.ID
	subject := "user|" + string(user)
	if user == "" {
		subject = "name|" + i.Value
	}
	t, err := r.tickets.Guess(ctx, caller, back, subject, code, storage.TicketGuess{User: user})
	refused, waits := errors.AsType[*storage.RefusedError](err)
	switch {
	case waits && !refused.First: // a wait has one line, whoever goes on guessing
		return Opened{}, &mfa.Error{Code: mfa.InvalidPasscode}
	case waits:
	case err == nil:
		o, err := r.opened(ctx, t)
		if mfa.CodeOf(err) != mfa.InvalidExchange {
			return o, err
		}
	case !errors.Is(err, storage.ErrNotFound):
		return Opened{}, fmt.Errorf("compare code: %w", err)
	}
	line, err := r.tickets.Line(ctx, subject) // of a name without a user too, so that it costs the same
	if err != nil {
		return Opened{}, err
	}
	if line && user != "" {
		r.journal.Note(r.journal.Event(caller, storage.Event{Kind: mfa.EventResetFailed, Outcome: mfa.OutcomeRefused, UserID: user}))
	}
	return Opened{}, &mfa.Error{Code: mfa.InvalidPasscode}
}

// Set sets the new password of an opened link. It returns the errors of password.Method.Check, and
// InvalidExchange if the link is not valid any more.
func (r *Resets) Set(ctx context.Context, caller mfa.Caller, o Opened, plain string) error {
	return r.setter.ResetPassword(ctx, caller, o.account, plain, storage.TicketSpend{ID: o.ticket.ID, Purpose: Purpose, Proven: true,
		Secret: o.state.Password, Was: o.state.Counter, Returned: o.state.Toll})
}

// passwordOf returns the password of an account; nil: it has none. A password that does not open
// can be replaced too.
func passwordOf(a storage.Account) *storage.Authenticator {
	return mfa.Attempt{Account: &a}.Active(password.Name)
}

// settled is how long ago an address beside older ones must have been verified: whoever added it in
// a foreign session must not set the password before the notices of that are read.
const settled = 24 * time.Hour

// addressByID returns the address of an account that a message went to, if one may go there now; nil: none.
func (r *Resets) addressByID(a storage.Account, id storage.IdentifierID) *storage.Identifier {
	is := func(i storage.Identifier) bool { return i.ID == id }
	if to := r.addressOf(a, storage.Email, is); to != nil {
		return to
	}
	return r.addressOf(a, storage.Phone, func(i storage.Identifier) bool { return is(i) && r.o.Toll != nil && !r.isFactor(a, i) })
}

// addressOf returns the first address of a kind that fits and is verified: for as long as settled says,
// unless no address of the account is; nil: there is none.
func (r *Resets) addressOf(a storage.Account, kind storage.IdentifierKind, fits func(storage.Identifier) bool) *storage.Identifier {
	long := func(i storage.Identifier) bool {
		return !i.VerifiedAt.IsZero() && !i.VerifiedAt.After(r.now().Add(-settled))
	}
	anyLong := slices.ContainsFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Kind != storage.Username && long(i) })
	for i, x := range a.Identifiers {
		if x.Kind == kind && !x.VerifiedAt.IsZero() && (long(x) || !anyLong) && fits(x) {
			return &a.Identifiers[i]
		}
	}
	return nil
}
