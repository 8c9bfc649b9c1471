package provider

import (
	"context"
	"errors"
	"time"

	"sallyport/storage"
)

// faultyStore is a storage engine in which one call fails. After: it fails once the
// call was done: the connection was lost during the commit.
type faultyStore struct {
	Store
	broken string
	after  bool
	// before runs once, ahead of a call, like a concurrent caller.
	before map[string]func()
}

var errBroken = errors.New("connection reset by peer")

// through makes one call of the engine, or breaks it.
func through[T any](b *faultyStore, call string, do func() (T, error)) (T, error) {
	var none T
	if other := b.before[call]; other != nil {
		delete(b.before, call)
		other()
	}
	if b.broken != call {
		return do()
	}
	if b.after {
		if _, err := do(); err != nil {
			return none, err
		}
	}
	return none, errBroken
}

func (b *faultyStore) does(call string, do func() error) error {
	_, err := through(b, call, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (b *faultyStore) Client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	return through(b, "Client", func() (storage.Client, error) { return b.Store.Client(ctx, id) })
}

func (b *faultyStore) ListClients(ctx context.Context) ([]storage.Client, error) {
	return through(b, "ListClients", func() ([]storage.Client, error) { return b.Store.ListClients(ctx) })
}

func (b *faultyStore) Grant(ctx context.Context, id storage.GrantID) (storage.GrantAccount, error) {
	return through(b, "Grant", func() (storage.GrantAccount, error) { return b.Store.Grant(ctx, id) })
}

func (b *faultyStore) GrantState(ctx context.Context, id storage.GrantID) (storage.GrantAccount, error) {
	return through(b, "GrantState", func() (storage.GrantAccount, error) { return b.Store.GrantState(ctx, id) })
}

func (b *faultyStore) Consent(ctx context.Context, user storage.UserID, id storage.ClientID) (storage.Consent, error) {
	return through(b, "Consent", func() (storage.Consent, error) { return b.Store.Consent(ctx, user, id) })
}

func (b *faultyStore) TokenRevoked(ctx context.Context, jti string) (bool, error) {
	return through(b, "TokenRevoked", func() (bool, error) { return b.Store.TokenRevoked(ctx, jti) })
}

func (b *faultyStore) RedeemCode(ctx context.Context, r storage.Redemption) error {
	return b.does("RedeemCode", func() error { return b.Store.RedeemCode(ctx, r) })
}

func (b *faultyStore) RotateRefresh(ctx context.Context, r storage.Rotation) error {
	return b.does("RotateRefresh", func() error { return b.Store.RotateRefresh(ctx, r) })
}

func (b *faultyStore) RevokeGrant(ctx context.Context, id storage.GrantID, reason string, now time.Time, events []storage.Event) error {
	return b.does("RevokeGrant", func() error { return b.Store.RevokeGrant(ctx, id, reason, now, events) })
}

func (b *faultyStore) RevokeToken(ctx context.Context, jti string, until time.Time, events []storage.Event) error {
	return b.does("RevokeToken", func() error { return b.Store.RevokeToken(ctx, jti, until, events) })
}

func (b *faultyStore) Settle(ctx context.Context) error {
	return b.does("Settle", func() error { return b.Store.Settle(ctx) })
}

func (b *faultyStore) FinishRequest(ctx context.Context, f storage.Finish) error {
	return b.does("FinishRequest", func() error { return b.Store.FinishRequest(ctx, f) })
}

func (b *faultyStore) Login(ctx context.Context, l storage.Lookup) (storage.Found, error) {
	return through(b, "Login", func() (storage.Found, error) { return b.Store.Login(ctx, l) })
}

func (b *faultyStore) OpenRequest(ctx context.Context, r storage.AuthRequest) error {
	return b.does("OpenRequest", func() error { return b.Store.OpenRequest(ctx, r) })
}

func (b *faultyStore) CountAttempt(ctx context.Context, a storage.Attempt) (storage.Refusal, error) {
	return through(b, "CountAttempt", func() (storage.Refusal, error) { return b.Store.CountAttempt(ctx, a) })
}

func (b *faultyStore) PushRequest(ctx context.Context, r storage.PushedRequest) error {
	return b.does("PushRequest", func() error { return b.Store.PushRequest(ctx, r) })
}

func (b *faultyStore) OpenPushed(ctx context.Context, id storage.PushedID, client storage.ClientID, now, until time.Time) (storage.PushedRequest, error) {
	return through(b, "OpenPushed", func() (storage.PushedRequest, error) { return b.Store.OpenPushed(ctx, id, client, now, until) })
}
