package selfservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// undoPurpose is the Purpose of the tickets that undo a change of addresses.
const undoPurpose = "address_undo"

// snapshot is what an undo restores: the addresses of a user, and what uses them.
type snapshot struct {
	Names      []storage.Identifier `json:"names"`
	Factors    []snapshotFactor     `json:"factors,omitempty"`
	MFAEnabled bool                 `json:"mfa_enabled,omitempty"`
}

// snapshotFactor is an authenticator that codes are sent to an address for.
type snapshotFactor struct {
	Method  string `json:"method"`
	Name    string `json:"name,omitempty"`
	Origin  string `json:"origin,omitempty"`
	Address string `json:"address"`
}

// undo returns the ticket that undoes a change of addresses: for whoever reads the message with
// its link. It outlives the end of all sessions, and later changes.
func (a *Accounts) undo(account storage.Account, about storage.IdentifierID, at time.Time) (storage.Ticket, error) {
	s := snapshot{MFAEnabled: account.User.MFAEnabled}
	for _, i := range a.current(account) {
		if i.Kind == storage.Username {
			continue
		}
		s.Names = append(s.Names, i)
		for _, x := range a.verifier.FactorsAt(account, i.Text()) {
			if mfa.IsEnrolled(x) {
				s.Factors = append(s.Factors, snapshotFactor{Method: x.Method, Name: x.Name, Origin: x.Origin, Address: i.Text()})
			}
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return storage.Ticket{}, fmt.Errorf("write addresses: %w", err)
	}
	return storage.Ticket{ID: storage.TicketID(storage.TimeOrdered(at, a.random)), Purpose: undoPurpose, UserID: account.User.ID, Identifier: about,
		Link: storage.Random128(a.random), Data: data, Outlives: true, CreatedAt: at, ExpiresAt: at.Add(a.o.Undo)}, nil
}

// Undo is what the link of a message undoes.
type Undo struct {
	Account  storage.Account
	Restored []string // addresses that the account has again
	Removed  []string // addresses that it loses
	Kept     []string // addresses that it has before and after
	Taken    []string // addresses that stay with another account, which has proven them meanwhile
}

// FindUndo returns what a link undoes, and changes nothing. It returns UnknownRequest for a link
// that is none, RequestOver for one that has expired or was used, and IdentifierTaken if other
// accounts have proven all addresses meanwhile.
func (a *Accounts) FindUndo(ctx context.Context, link string) (Undo, error) {
	_, u, _, err := a.readUndo(ctx, link)
	return u, err
}

func (a *Accounts) readUndo(ctx context.Context, link string) (storage.Ticket, Undo, storage.UserChange, error) {
	t, err := a.store.TicketByLink(ctx, undoPurpose, link)
	if err != nil {
		return t, Undo{}, storage.UserChange{}, mfa.Refuse("read ticket", err, storage.ErrNotFound, mfa.UnknownRequest)
	}
	if !t.Valid(a.now()) {
		return t, Undo{}, storage.UserChange{}, &mfa.Error{Code: mfa.RequestOver}
	}
	account, err := a.store.Account(ctx, t.UserID)
	if err != nil {
		return t, Undo{}, storage.UserChange{}, mfa.Refuse("read account", err, storage.ErrNotFound, mfa.UnknownRequest)
	}
	if !account.User.In() {
		return t, Undo{}, storage.UserChange{}, &mfa.Error{Code: mfa.RequestOver}
	}
	var s snapshot
	if err := json.Unmarshal(t.Data, &s); err != nil {
		return t, Undo{}, storage.UserChange{}, fmt.Errorf("read addresses: %w", err)
	}
	taken, err := a.withoutTaken(ctx, account.User.ID, &s)
	if err != nil {
		return t, Undo{}, storage.UserChange{}, err
	}
	u, c := a.restore(account, s)
	u.Taken = taken
	return t, u, c, nil
}

// withoutTaken takes from a snapshot the addresses that another account has proven meanwhile, and
// returns them. IdentifierTaken: no proven one is left.
func (a *Accounts) withoutTaken(ctx context.Context, user storage.UserID, s *snapshot) ([]string, error) {
	var names []storage.Identifier
	var taken []string
	for _, i := range s.Names {
		holder, err := a.holder(ctx, user, i.Value)
		if err != nil {
			return nil, err
		}
		if holder == nil || !isProvenBy(*holder, i.Value) {
			names = append(names, i)
			continue
		}
		taken = append(taken, i.Text())
		s.Factors = slices.DeleteFunc(s.Factors, func(f snapshotFactor) bool { return f.Address == i.Text() })
	}
	if len(taken) > 0 && !slices.ContainsFunc(names, isProven) {
		return nil, &mfa.Error{Code: mfa.IdentifierTaken}
	}
	s.Names = names
	return taken, nil
}

// restore returns the change that gives an account the addresses of a snapshot, and no others. It
// adds no authenticators after an administrator has reset those of the user.
func (a *Accounts) restore(account storage.Account, s snapshot) (Undo, storage.UserChange) {
	u, names, factors := Undo{Account: account}, storage.NamesChange{}, storage.FactorsChange{}
	c := storage.UserChange{ID: account.User.ID, Was: account.User.UpdatedAt, Now: account.User.Next(a.now()), Kill: true, Names: &names, Factors: &factors}
	for _, have := range account.Identifiers {
		if have.Kind == storage.Username {
			continue
		}
		if slices.ContainsFunc(s.Names, func(i storage.Identifier) bool { return keeps(have, i) }) {
			u.Kept = append(u.Kept, have.Text())
			continue
		}
		names.Drop, u.Removed = append(names.Drop, have.ID), append(u.Removed, have.Text())
		for _, x := range a.verifier.FactorsAt(account, have.Text()) {
			factors.Remove = append(factors.Remove, x.ID)
		}
	}
	for _, i := range s.Names {
		if !slices.ContainsFunc(account.Identifiers, func(have storage.Identifier) bool { return keeps(have, i) }) {
			i.UpdatedAt = c.Now
			names.Add, u.Restored = append(names.Add, i), append(u.Restored, i.Text())
		}
	}
	if enrollcode.Of(&account) != nil {
		s.Factors = nil // the next one needs an enrollment code
	}
	for _, f := range s.Factors {
		held := slices.ContainsFunc(a.verifier.FactorsAt(account, f.Address), func(x storage.Authenticator) bool { return x.Method == f.Method && mfa.IsEnrolled(x) })
		if fresh, ok := a.factorOf(account.User.ID, storage.Authenticator{Method: f.Method, Name: f.Name, Origin: f.Origin, State: storage.AuthenticatorActive}, f.Address); ok && !held {
			factors.Add = append(factors.Add, fresh)
		}
	}
	if s.MFAEnabled && !account.User.MFAEnabled {
		c.MFAEnabled = &s.MFAEnabled
	}
	return u, c
}

// keeps reports whether an address of an account is one of a snapshot.
func keeps(have, i storage.Identifier) bool {
	return have.Value == i.Value && have.Text() == i.Text() && (isProven(have) || !isProven(i))
}

// undoTries is how many changes of the same user an undo gives way to.
const undoTries = 50

// UndoAddresses gives a user back the addresses that a link is about, and no others, with the
// authenticators that used them. It ends every session, login and grant, and the links of later
// changes: whoever made those may not undo the undo. Links of earlier changes stay valid. It returns
// the errors of FindUndo.
func (a *Accounts) UndoAddresses(ctx context.Context, caller mfa.Caller, link string) error {
	for range undoTries {
		t, u, c, err := a.readUndo(ctx, link)
		if err != nil {
			return err
		}
		c.Ticket = &storage.TicketSpend{ID: t.ID, Purpose: undoPurpose, Later: true}
		c.Events = []storage.Event{a.journal.Event(caller, storage.Event{Kind: mfa.EventAddressRestored, UserID: t.UserID})}
		for _, i := range c.Names.Add {
			lost, err := a.claimed(ctx, caller, t.UserID, i.Value, c.Names)
			if err != nil {
				return err
			}
			c.Events = append(c.Events, lost...)
		}
		all := u.Account // with the addresses before and after
		all.Identifiers = append(a.current(u.Account), c.Names.Add...)
		c.Messages = notice.New(a.now(), a.random, a.o.Product, caller, &all, notice.AddressesRestored, map[string]string{})
		err = a.store.UpdateUser(ctx, c)
		if !errors.Is(err, storage.ErrConflict) {
			return mfa.Refuse("restore addresses", err, storage.ErrNotFound, mfa.UnknownRequest)
		}
	}
	return &mfa.Error{Code: mfa.Busy, RetryAfter: time.Second}
}
