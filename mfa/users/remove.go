package users

import (
	"context"
	"errors"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// RemoveFactor deletes an authenticator of a user, pending or not. With the last standalone second
// factor the recovery codes and the user's setting go too. It returns NotConfigured if the authenticator is gone.
func (u *Registry) RemoveFactor(ctx context.Context, v mfa.Caller, a storage.Account, x storage.Authenticator) error {
	r := storage.Removal{UserID: x.UserID, Authenticator: x.ID, Now: u.now(),
		Events: []storage.Event{u.factorEvent(v, mfa.EventFactorDeleted, x)}}
	if x.State != storage.AuthenticatorPending {
		r.Lasting = u.verifier.StandaloneMethods()
		r.Messages = u.notice(v, a, notice.FactorRemoved, map[string]string{"method": x.Method, "name": x.Name})
	}
	return mfa.Refuse("remove authenticator", u.store.DeleteAuthenticator(ctx, r), storage.ErrNotFound, mfa.NotConfigured)
}

// removeTries is how many changes of the same user a removal gives way to.
const removeTries = 50

// RemoveIdentifier detaches a name from a user, and removes the second factors whose codes go to it
// in the same transaction. It returns IdentifierNotFound if the name is gone.
func (u *Registry) RemoveIdentifier(ctx context.Context, v mfa.Caller, a storage.Account, id storage.IdentifierID) error {
	for range removeTries {
		at := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool { return i.ID == id })
		if at < 0 {
			return &mfa.Error{Code: mfa.IdentifierNotFound}
		}
		i, now := a.Identifiers[at], u.now()
		c := storage.UserChange{ID: a.User.ID, Was: a.User.UpdatedAt, Now: a.User.Next(now), EndTickets: true,
			Names: &storage.NamesChange{Drop: []storage.IdentifierID{id}}, Events: []storage.Event{u.changeEvent(v, a, "address removed")}}
		u.removeFactorsAt(v, a, i, &c)
		if !i.VerifiedAt.IsZero() {
			c.Messages = append(c.Messages, u.notice(v, a, notice.AddressRemoved, map[string]string{"address": i.Text()})...)
		}
		err := u.store.UpdateUser(ctx, c)
		if !errors.Is(err, storage.ErrConflict) {
			return refusal(mfa.Wrap("remove identifier", err))
		}
		if a, err = u.Account(ctx, a.User.ID); err != nil {
			return err
		}
	}
	return &mfa.Error{Code: mfa.Busy, RetryAfter: time.Second}
}

// removeFactorsAt adds the removal of the authenticators at an address to a change: whoever gets the
// address next must not get the user's codes. It returns them.
func (u *Registry) removeFactorsAt(v mfa.Caller, a storage.Account, i storage.Identifier, c *storage.UserChange) {
	gone := u.verifier.FactorsAt(a, i.Text())
	if len(gone) == 0 {
		return
	}
	if c.Factors == nil {
		c.Factors = &storage.FactorsChange{}
	}
	c.Factors.Lasting = u.verifier.StandaloneMethods()
	for _, x := range gone {
		c.Factors.Remove = append(c.Factors.Remove, x.ID)
		e := u.factorEvent(v, mfa.EventFactorDeleted, x)
		e.Detail["reason"] = "address removed"
		c.Events = append(c.Events, e)
		if mfa.IsEnrolled(x) {
			c.Messages = append(c.Messages, u.notice(v, a, notice.FactorRemoved, map[string]string{"method": x.Method, "name": x.Name})...)
		}
	}
}
