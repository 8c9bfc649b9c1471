package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
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
	site := httptest.NewTLSServer(nil)
	t.Cleanup(site.Close)
	id := site.URL + "/client.json"
	site.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"client_id": id, "redirect_uris": []string{"http://127.0.0.1/cb"}})
	})
	fetched := set{"FETCH_ALLOWED_NETWORKS": "127.0.0.0/8", "FETCH_CA_FILE": secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw})))}
	enabled := maps.Clone(fetched)
	enabled["CLIENT_DOCUMENTS_ENABLED"] = "true"
	// Where a login of the client begins, or why it does not.
	begins := func(scope string) func(s *trial) string {
		return func(s *trial) string {
			q := url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {"http://127.0.0.1:1/cb"}, "scope": {scope}, "state": {"s"},
				"code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"}}
			r := s.open().send("GET", "/authorize?"+q.Encode(), "", "")
			return fmt.Sprint(r.Code, " ", r.Header().Get("Location"), r.Body.String())
		}
	}
	return map[string]effect{
		"client_documents.enabled": {value: "true", with: fetched, want: "303 /login", show: begins("openid")},
		"client_documents.hosts":   {value: "editor.example", with: enabled, want: "applications of this host are not accepted here", show: begins("openid")},
		"client_documents.scopes":  {value: "tools", with: enabled, want: "303 /login", show: begins("tools")},
		"client_documents.mfa": {value: "ALWAYS", with: enabled, want: "ALWAYS", show: func(s *trial) string {
			begins("openid")(s)
			c, err := s.Provider.Client(s.Context(), storage.ClientID(id))
			return fmt.Sprint(c.MFA, err)
		}},
		"resources": {value: "https://mcp.example/mcp", want: `"https://mcp.example/mcp"`, show: func(s *trial) string {
			return s.open().send("GET", "/.well-known/oauth-authorization-server", "", "").Body.String()
		}},
		"fetch.allowed_networks": {value: "127.0.0.0/8", with: set{"FETCH_CA_FILE": ca}, want: "signed <nil>", show: verify},
		"fetch.ca_file":          {value: ca, with: set{"FETCH_ALLOWED_NETWORKS": "127.0.0.0/8"}, want: "signed <nil>", show: verify},
	}
}
