package users

import (
	"context"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// RemoveFactor deletes an authenticator of a user, pending or not. lasting are the methods of
// standalone second factors: with the last of them the recovery codes and the user's setting
// go too. It returns NotConfigured if the authenticator is gone.
func (u *Registry) RemoveFactor(ctx context.Context, v mfa.Caller, a storage.Account, x storage.Authenticator, lasting []string) error {
	r := storage.Removal{UserID: x.UserID, Authenticator: x.ID, Now: u.now(),
		Events: []storage.Event{u.factorEvent(v, mfa.EventFactorDeleted, x)}}
	if x.State != storage.AuthenticatorPending {
		r.Lasting = lasting
		r.Messages = u.notice(v, a, notice.FactorRemoved, map[string]string{"method": x.Method, "name": x.Name})
	}
	return mfa.Refuse("remove authenticator", u.store.DeleteAuthenticator(ctx, r), storage.ErrNotFound, mfa.NotConfigured)
}

// RemoveIdentifier detaches a name from a user. It returns IdentifierNotFound if the name is
// gone.
func (u *Registry) RemoveIdentifier(ctx context.Context, v mfa.Caller, a storage.Account, i storage.Identifier) error {
	var messages []storage.Message
	if !i.VerifiedAt.IsZero() {
		messages = u.notice(v, a, notice.AddressRemoved, map[string]string{"address": i.Text()})
	}
	err := u.store.DeleteIdentifier(ctx, i.UserID, i.ID, u.now(), []storage.Event{u.changeEvent(v, a, "address removed")}, messages)
	return mfa.Refuse("remove identifier", err, storage.ErrNotFound, mfa.IdentifierNotFound)
}
