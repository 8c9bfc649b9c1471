package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage"
)

// fetch are the rows of what is fetched from clients.
func (o *trialSource) fetch(t *testing.T) map[string]effect {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte("signed"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}})
	}))
	t.Cleanup(keys.Close)
	ca := secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: keys.Certificate().Raw})))
	verify := func(s *trial) string {
		got, err := s.open().Provider.ClientKeys.Verify(s.Context(), &storage.Client{JWKSURI: keys.URL}, token, []string{"ES256"}, nil)
		return fmt.Sprintf("%s %v", got.Payload, err)
	}
	return map[string]effect{
		"fetch.allowed_networks": {value: "127.0.0.0/8", with: set{"FETCH_CA_FILE": ca}, want: "signed <nil>", show: verify},
		"fetch.ca_file":          {value: ca, with: set{"FETCH_ALLOWED_NETWORKS": "127.0.0.0/8"}, want: "signed <nil>", show: verify},
	}
}
