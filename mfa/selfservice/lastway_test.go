package selfservice_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// A user without a password keeps one passkey that signs them in, whatever else they can confirm with.
func TestTheLastWayToSignInStays(t *testing.T) {
	ctx, h := context.Background(), mfatest.New(t)
	keys, err := passkey.New(h.Store, h.Keyring, rand.Reader, passkey.Options{Product: "Sallyport", RPID: "login.example", Origins: []string{"https://login.example"}, TTL: time.Minute, Enroll: time.Minute})
	mfatest.Want(t, "method", err, "")
	h.Open(exchange.Options{}, keys)
	u := h.Create(users.Draft{Email: mfatest.Email, TOTPSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"})
	var ids []storage.AuthenticatorID
	for _, domain := range []string{"login.example", "login.example", "old.example"} {
		x := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(rand.Reader)), UserID: u.ID, Method: passkey.Name,
			State: storage.AuthenticatorActive, Data: []byte(`{"rp_id":"` + domain + `"}`), CreatedAt: h.Now(), UpdatedAt: h.Now()}
		mfatest.Want(t, "add", h.Store.PutAuthenticator(ctx, x, nil, nil), "")
		ids = append(ids, x.ID)
	}
	remove := func(id storage.AuthenticatorID) error {
		account, err := h.Store.Account(ctx, u.ID)
		mfatest.Want(t, "read", err, "")
		f := mfa.FactorOf(keys.Info(), nil)
		f.At = h.Now()
		return h.Accounts.Remove(ctx, h.Caller, mfa.Owner{Account: account, Factors: []storage.Factor{f}}, id, false)
	}
	mfatest.Want(t, "one of two", remove(ids[0]), "")
	mfatest.Want(t, "the last, but for one of another domain", remove(ids[1]), mfa.LastWay)
	mfatest.Want(t, "one of another domain", remove(ids[2]), "")
	mfatest.Want(t, "the last", remove(ids[1]), mfa.LastWay)
	account, err := h.Store.Account(ctx, u.ID)
	mfatest.Want(t, "read", err, "")
	if account.Authenticator(ids[1]) == nil {
		t.Error("the last way to sign in is gone")
	}
}
