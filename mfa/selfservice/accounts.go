// Package selfservice lets signed-in users manage their own accounts: list, rename and remove
// factors, replace recovery codes and the password, prove, change and remove addresses, edit the
// profile and the user name, and read the audit trail. Package exchange enrols factors, as logins do so too.
package selfservice

import (
	"cmp"
	"context"
	"io"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/exchange"
	"sallyport/mfa/notice"
	"sallyport/mfa/password"
	"sallyport/storage"
)

// Store is the part of storage that Accounts uses.
type Store interface {
	Account(ctx context.Context, id storage.UserID) (storage.Account, error)
	AccountByIdentifier(ctx context.Context, value string, now time.Time) (storage.Account, error)
	TicketByLink(ctx context.Context, purpose, link string) (storage.Ticket, error)
	UpdateUser(ctx context.Context, c storage.UserChange) error
	RenameAuthenticator(ctx context.Context, user storage.UserID, id storage.AuthenticatorID, name string, now time.Time, events []storage.Event) error
	DeleteAuthenticator(ctx context.Context, r storage.Removal) error
	ReplaceRecoveryCodes(ctx context.Context, set storage.RecoverySet, now time.Time, events []storage.Event, messages []storage.Message) error
}

// Accounts changes accounts on behalf of their owners.
type Accounts struct {
	store    Store
	verifier *exchange.Verifier
	password *password.Method
	journal  *audit.Journal
	now      func() time.Time
	random   io.Reader
	o        Options
}

// Options of Accounts.
type Options struct {
	Product string        // the sender named in messages
	Undo    time.Duration // how long a change of addresses can be undone; 0: 7 days
	// Editable are the claims of the profile that users edit, of those of ProfileClaims.
	Editable  []string
	Usernames Usernames
}

// New returns Accounts.
func New(store Store, verifier *exchange.Verifier, password *password.Method, journal *audit.Journal, now func() time.Time, random io.Reader, o Options) *Accounts {
	o.Undo, o.Usernames.Keep = cmp.Or(o.Undo, 7*24*time.Hour), cmp.Or(o.Usernames.Keep, 90*24*time.Hour)
	return &Accounts{store: store, verifier: verifier, password: password, journal: journal, now: now, random: random, o: o}
}

// notify returns a message to an owner.
func (a *Accounts) notify(caller mfa.Caller, o mfa.Owner, template string, data map[string]string) []storage.Message {
	return notice.New(a.now(), a.random, a.o.Product, caller, &o.Account, template, data)
}
