package selfservice

import (
	"context"
	"errors"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// maxAddresses is how many addresses of a kind a user can add.
const maxAddresses = 10

// Address is a name of an owner, as the owner sees it.
type Address struct {
	storage.Identifier
	Sends  bool // codes can be sent to it, so it can be proven and changed
	Factor bool // a second factor uses it
	Last   bool // it cannot be removed: nothing would be left to sign in with, or to send messages to
}

// Addresses returns the names of an account, in the order they were added.
func (a *Accounts) Addresses(account storage.Account) []Address {
	var out []Address
	for _, i := range a.current(account) {
		out = append(out, Address{Identifier: i, Sends: a.verifier.MethodFor(i.Kind) != "", Factor: len(a.verifier.FactorsAt(account, i.Text())) > 0,
			Last: a.isLast(account, i)})
	}
	return out
}

// current returns the names of an account that have not expired.
func (a *Accounts) current(account storage.Account) []storage.Identifier {
	return slices.DeleteFunc(slices.Clone(account.Identifiers), func(i storage.Identifier) bool {
		return !i.ExpiresAt.IsZero() && !i.ExpiresAt.After(a.now())
	})
}

// isLast reports whether a name is the only one, or the only proven address.
func (a *Accounts) isLast(account storage.Account, i storage.Identifier) bool {
	names, proven := 0, 0
	for _, other := range a.current(account) {
		if other.ID == i.ID {
			continue
		}
		names++
		if isProven(other) {
			proven++
		}
	}
	return names == 0 || isProven(i) && proven == 0
}

func isProven(i storage.Identifier) bool {
	return i.Kind != storage.Username && !i.VerifiedAt.IsZero()
}

// find returns a name of an owner by its ID, and NotConfigured if there is none.
func (a *Accounts) find(account storage.Account, id storage.IdentifierID) (storage.Identifier, error) {
	for _, i := range a.current(account) {
		if i.ID == id && id != "" {
			return i, nil
		}
	}
	return storage.Identifier{}, &mfa.Error{Code: mfa.NotConfigured}
}

// NewAddress is an owner's input to add or change an address, or to prove one that they have.
type NewAddress struct {
	Kind     storage.IdentifierKind
	Typed    string
	Replaces storage.IdentifierID // "": none
}

// SendToAddress sends a code to an address that its owner wants to prove. It does the same whoever
// has the address: one that another account has proven gets a message instead of a code. It returns
// the errors of Verifier.SendToAddress, InvalidIdentifier, IdentifierTaken for an address that the
// owner has proven already, and AlreadyEnrolled if there are too many.
func (a *Accounts) SendToAddress(ctx context.Context, caller mfa.Caller, o mfa.Owner, n NewAddress) (exchange.AddressSent, error) {
	if err := a.verifier.CheckFresh(o); err != nil {
		return exchange.AddressSent{}, err
	}
	i, err := mfa.Identify(n.Typed)
	if err == nil && (i.Kind != n.Kind || n.Kind == storage.Username) {
		err = &mfa.Error{Code: mfa.InvalidIdentifier}
	}
	if err == nil {
		err = mfa.CheckNew(i.Kind, i.Value)
	}
	if err != nil {
		return exchange.AddressSent{}, err
	}
	if n.Replaces != "" {
		old, err := a.find(o.Account, n.Replaces)
		if err != nil || old.Kind != i.Kind {
			return exchange.AddressSent{}, &mfa.Error{Code: mfa.NotConfigured}
		}
		if old.Text() == i.Text() {
			n.Replaces = ""
		}
	}
	own, held := 0, false
	for _, have := range a.current(o.Account) {
		if have.Value == i.Value && isProven(have) {
			return exchange.AddressSent{}, &mfa.Error{Code: mfa.IdentifierTaken}
		}
		held = held || have.Value == i.Value
		if have.Kind == i.Kind {
			own++
		}
	}
	if own >= maxAddresses && !held && n.Replaces == "" {
		return exchange.AddressSent{}, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	holder, err := a.holder(ctx, o.Account.User.ID, i.Value)
	if err != nil {
		return exchange.AddressSent{}, err
	}
	ask := exchange.NewAddress{Identifier: i, Replaces: n.Replaces}
	if holder != nil && isProvenBy(*holder, i.Value) {
		ask.Holder = holder
	}
	return a.verifier.SendToAddress(ctx, caller, o, ask)
}

// holder returns the other account that has a name; nil: none.
func (a *Accounts) holder(ctx context.Context, user storage.UserID, value string) (*storage.Account, error) {
	found, err := a.store.AccountByIdentifier(ctx, value, a.now())
	if errors.Is(err, storage.ErrNotFound) || err == nil && found.User.ID == user {
		return nil, nil
	}
	return &found, mfa.Wrap("read user", err)
}

func isProvenBy(a storage.Account, value string) bool {
	return slices.ContainsFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Value == value && !i.VerifiedAt.IsZero() })
}

// ProveAddress checks the code that came to a new address, and gives it to its owner in place of
// the one that it replaces. Authenticators of that one move to it. It returns IdentifierTaken if
// another account has proven the address meanwhile.
func (a *Accounts) ProveAddress(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.ExchangeID, text mfa.Response) error {
	return a.verifier.ProveAddress(ctx, caller, o, id, text, func(account storage.Account, n exchange.NewAddress) (storage.UserChange, error) {
		o.Account = account
		return a.proven(ctx, caller, o, n)
	})
}

// proven returns what the proof of an address changes.
func (a *Accounts) proven(ctx context.Context, caller mfa.Caller, o mfa.Owner, n exchange.NewAddress) (storage.UserChange, error) {
	now, account, i := a.now(), o.Account, n.Identifier
	i.ID, i.UserID = storage.IdentifierID(storage.TimeOrdered(now, a.random)), account.User.ID
	i.VerifiedAt, i.CreatedAt, i.UpdatedAt, i.ExpiresAt = now, now, now, time.Time{}
	kind, names := mfa.EventAddressAdded, storage.NamesChange{}
	c := storage.UserChange{ID: account.User.ID, Was: account.User.UpdatedAt, Now: account.User.Next(now), Names: &names}
	for _, have := range account.Identifiers {
		if have.Value != i.Value || have.ID == n.Replaces {
			continue
		}
		if have.Text() == i.Text() {
			i = have
		} else {
			names.Drop = append(names.Drop, have.ID) // another spelling, which may be another mailbox
		}
		kind = mfa.EventAddressVerified
	}
	what := change{template: notice.AddressAdded, about: i}
	if n.Replaces != "" {
		old, err := a.find(account, n.Replaces)
		if err != nil {
			return c, &mfa.Error{Code: mfa.RequestChanged}
		}
		names.Drop = append(names.Drop, old.ID)
		kind, what = mfa.EventAddressChanged, change{template: notice.AddressChanged, about: old, new: i}
		c.Factors = a.moved(account, old, i)
		if !i.VerifiedAt.IsZero() {
			i.CreatedAt = old.CreatedAt // the first proven address is the user's email and phone_number
		}
	}
	if i.VerifiedAt.IsZero() {
		names.Verify = append(names.Verify, i.ID)
	} else {
		names.Add = append(names.Add, i)
	}
	c.Events = append(c.Events, a.addressEvent(caller, o, kind, i))
	lost, err := a.claimed(ctx, caller, account.User.ID, i.Value, &names)
	if err != nil {
		return c, err
	}
	c.Events = append(c.Events, lost...)
	if kind != mfa.EventAddressVerified {
		err = a.tell(caller, account, what, &c)
	}
	return c, err
}

// claimed drops the name of another user who has not proven it. IdentifierTaken if they have.
func (a *Accounts) claimed(ctx context.Context, caller mfa.Caller, user storage.UserID, value string, names *storage.NamesChange) ([]storage.Event, error) {
	holder, err := a.holder(ctx, user, value)
	if err != nil || holder == nil {
		return nil, err
	}
	var events []storage.Event
	for _, i := range holder.Identifiers {
		if i.Value != value {
			continue
		}
		if !i.VerifiedAt.IsZero() {
			return nil, &mfa.Error{Code: mfa.IdentifierTaken}
		}
		names.Over = append(names.Over, i.ID)
		events = append(events, a.journal.Event(mfa.Caller{CorrelationID: caller.CorrelationID, Actor: "system"}, storage.Event{Kind: mfa.EventAddressRemoved,
			UserID: holder.User.ID, Detail: map[string]string{"kind": string(i.Kind), "reason": "proven by another user"}}))
	}
	return events, nil
}

// moved replaces the authenticators of an address by those of the one that takes its place.
func (a *Accounts) moved(account storage.Account, old, i storage.Identifier) *storage.FactorsChange {
	var c storage.FactorsChange
	for _, x := range a.verifier.FactorsAt(account, old.Text()) {
		c.Remove = append(c.Remove, x.ID)
		if x.State != storage.AuthenticatorPending && len(a.verifier.FactorsAt(account, i.Text())) == 0 {
			if fresh, ok := a.factorOf(account.User.ID, x, i.Text()); ok {
				c.Add = append(c.Add, fresh)
			}
		}
	}
	return &c
}

// factorOf returns an authenticator like another one, at another address, which was proven.
func (a *Accounts) factorOf(user storage.UserID, x storage.Authenticator, address string) (storage.Authenticator, bool) {
	fresh, err := a.verifier.AuthenticatorAt(x.Method, address)
	if err != nil {
		return fresh, false // no messages are sent there
	}
	now := a.now()
	fresh.ID, fresh.UserID = storage.AuthenticatorID(storage.Random128(a.random)), user
	fresh.Name, fresh.Origin, fresh.State = x.Name, x.Origin, x.State
	fresh.CreatedAt, fresh.UpdatedAt = now, now
	return fresh, true
}

// RemoveAddress removes a name of its owner, with the authenticators that use it. It returns the
// errors of CheckFresh, NotConfigured for an unknown name, and NotAllowed for a user name, and where
// nothing would be left to sign in with or to send messages to.
func (a *Accounts) RemoveAddress(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.IdentifierID) error {
	if err := a.verifier.CheckFresh(o); err != nil {
		return err
	}
	i, err := a.find(o.Account, id)
	if err == nil && (i.Kind == storage.Username || a.isLast(o.Account, i)) {
		err = &mfa.Error{Code: mfa.NotAllowed}
	}
	if err != nil {
		return err
	}
	u := o.Account.User
	c := storage.UserChange{ID: u.ID, Was: u.UpdatedAt, Now: u.Next(a.now()), Names: &storage.NamesChange{Drop: []storage.IdentifierID{id}},
		Events: []storage.Event{a.addressEvent(caller, o, mfa.EventAddressRemoved, i)}}
	if gone := a.verifier.FactorsAt(o.Account, i.Text()); len(gone) > 0 {
		c.Factors = &storage.FactorsChange{Lasting: a.verifier.StandaloneMethods()}
		for _, x := range gone {
			c.Factors.Remove = append(c.Factors.Remove, x.ID)
			c.Events = append(c.Events, a.journal.Event(caller, o.Event(mfa.EventFactorDeleted, x.Method, x.ID)))
			c.Messages = append(c.Messages, a.notify(caller, o, notice.FactorRemoved, map[string]string{"method": x.Method, "name": x.Name})...)
		}
	}
	if isProven(i) {
		if err := a.tell(caller, o.Account, change{template: notice.AddressRemoved, about: i}, &c); err != nil {
			return err
		}
	}
	return mfa.Refuse("remove address", a.store.UpdateUser(ctx, c), storage.ErrConflict, mfa.RequestChanged)
}

// addressEvent returns the event of a change to an address.
func (a *Accounts) addressEvent(caller mfa.Caller, o mfa.Owner, kind string, i storage.Identifier) storage.Event {
	return a.journal.Event(caller, storage.Event{Kind: kind, UserID: o.Account.User.ID, ClientID: o.Client, SessionID: o.Session,
		Detail: map[string]string{"kind": string(i.Kind)}})
}
