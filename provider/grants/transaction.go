package grants

import (
	"context"
	"errors"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/provider/dpop"
	"sallyport/storage"
)

// transaction is what one request read and will write. It is passed in the context, because
// fosite has no other place for it.
type transaction struct {
	now       time.Time
	caller    mfa.Caller
	client    storage.ClientID // authenticated
	grantType string
	verifier  string      // code_verifier
	proof     *dpop.Proof // of the caller's key; nil: none

	code       *storage.GrantAccount // read for a code
	redeemable *fosite.Request       // of the code, once it was found good; fosite asks twice

	grant     *storage.GrantAccount // read at a refresh
	presented int64                 // generation of the presented refresh token

	redeem    bool // redeem the code
	refresh   bool // with a refresh token
	rotate    bool // use the newest refresh token
	committed bool
	revoke    storage.GrantID // reuse was detected: revoke this grant
}

type transactionKey struct{}

func begin(ctx context.Context, now time.Time) (context.Context, *transaction) {
	tx := &transaction{now: now}
	return context.WithValue(ctx, transactionKey{}, tx), tx
}

func current(ctx context.Context) (*transaction, error) {
	if tx, ok := ctx.Value(transactionKey{}).(*transaction); ok {
		return tx, nil
	}
	return nil, errors.New("grants: no transaction")
}
