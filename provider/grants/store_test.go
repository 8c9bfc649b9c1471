package grants

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/ory/fosite"

	"sallyport/provider/clients"
	"sallyport/provider/signing"
	"sallyport/provider/token"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// records is a store with one client and one grant.
type records struct {
	storage.Clients
	storage.Grants
	redeemed   time.Time
	generation int64
}

var at = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

var (
	account       = storage.Account{User: storage.User{ID: "ada", Status: storage.UserActive}}
	authorization = storage.Authorization{ClientID: "rp", UserID: "ada", Scopes: []string{"openid", "offline_access"}}
	grantID       = storage.FromBytes[storage.GrantID]([16]byte{1})
)

func (records) Client(_ context.Context, id storage.ClientID) (storage.Client, error) {
	return storage.Client{ID: id}, nil
}

func (records) Poll(context.Context, storage.Poll) (storage.Polled, error) {
	return storage.Polled{}, storage.ErrNotFound
}

func (r records) Grant(context.Context, storage.GrantID) (storage.GrantAccount, error) {
	return storage.GrantAccount{Grant: storage.Grant{ID: grantID, Authorization: authorization, Refreshable: true, Generation: r.generation,
		RedirectURI: "https://rp.example/cb", CodeUntil: at.Add(time.Minute), RedeemedAt: r.redeemed, ExpiresAt: at.Add(time.Hour), RefreshUntil: at.Add(time.Hour)}, Account: account}, nil
}

// storeOf returns the store of an Issuer over records, a refresh token of generation 0, a code, and
// a context with a transaction of the client.
func storeOf(t *testing.T, r records) (s *store, refresh, code string, ctx context.Context) {
	t.Helper()
	keyring, _ := storagetest.Keyring(t, at, "ES256")
	i := &Issuer{store: r, clients: clients.NewCache(r, 1),
		codec: token.NewCodec("https://op.example", "test", "ES256", keyring, signing.New(signing.Form{}, rand.Reader), nil, func() time.Time { return at })}
	refresh, err := i.codec.WriteRefresh(grantID, 0)
	if err != nil {
		t.Fatal(err)
	}
	code, err = i.codec.WriteCode(grantID)
	if err != nil {
		t.Fatal(err)
	}
	ctx, tx := begin(t.Context(), at)
	tx.client = "rp"
	return &store{i}, refresh, code, ctx
}

// Revocation in fosite passes a nil session.
func TestTheAdapterTakesANilSession(t *testing.T) {
	s, refresh, _, ctx := storeOf(t, records{redeemed: at})
	if r, err := s.GetRefreshTokenSession(ctx, refresh, nil); err != nil || r.GetClient().GetID() != "rp" || r.GetSession() == nil {
		t.Errorf("refresh token = %v, %v, want its grant", r, err)
	}
	s, _, code, ctx := storeOf(t, records{})
	if r, err := s.GetAuthorizeCodeSession(ctx, code, nil); err != nil || r.GetRequestForm().Get("redirect_uri") != "https://rp.example/cb" {
		t.Errorf("code = %v, %v, want its authorization", r, err)
	}
	if _, err := s.GetAccessTokenSession(ctx, "x", nil); !errors.Is(err, fosite.ErrNotFound) {
		t.Errorf("access token = %v, want not found", err)
	}
}

// For a used code and a reused refresh token the grant is returned too, because fosite revokes it.
func TestReuseReturnsTheGrant(t *testing.T) {
	s, refresh, code, ctx := storeOf(t, records{redeemed: at, generation: 1})
	if r, err := s.GetAuthorizeCodeSession(ctx, code, nil); !errors.Is(err, fosite.ErrInvalidatedAuthorizeCode) || r == nil || r.GetID() == "" {
		t.Errorf("used code = %v, %v, want the request with ErrInvalidatedAuthorizeCode", r, err)
	}
	if r, err := s.GetRefreshTokenSession(ctx, refresh, nil); !errors.Is(err, fosite.ErrInactiveToken) || r == nil || r.GetID() == "" {
		t.Errorf("reused token = %v, %v, want the request with ErrInactiveToken", r, err)
	}
}
