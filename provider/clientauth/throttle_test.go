package clientauth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// oneClient is a store with one client.
type oneClient struct{ storage.Clients }

func (oneClient) Client(_ context.Context, id storage.ClientID) (storage.Client, error) {
	return storage.Client{ID: id, AuthMethod: "client_secret_basic"}, nil
}

// A caller who disconnects while waiting for other attempts is released, even if the database
// does not respond.
func TestAWaitForOtherAttemptsEnds(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC) }
	keyring, _ := storagetest.Keyring(t, now(), "ES256")
	a := New(clients.NewCache(oneClient{}, 1), nil, keyring, nil, now, Options{})
	for i := range a.recent {
		a.recent[i].turns() <- struct{}{}
	}
	ctx, disconnect := context.WithCancel(t.Context())
	disconnect()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/token", nil)
	r.Header.Set("Authorization", basic("rp", "secret"))
	_, err := a.Authenticate(r, url.Values{}, mfa.Caller{Address: "192.0.2.1"})
	if e := oauth.ErrorOf(err); e.Status != http.StatusServiceUnavailable {
		t.Errorf("Authenticate = %v, want status 503", err)
	}
}
