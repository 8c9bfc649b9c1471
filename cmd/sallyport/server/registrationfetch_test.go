package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sallyport/cmd/sallyport/servertest"
)

// Conformance (Registration): OpenID Registration 5: the list at sector_identifier_uri contains every redirect URI
func TestSectorsAreFetched(t *testing.T) {
	documents := map[string]string{"/good": `["https://rp.example/cb","https://other.example/"]`, "/bad": `["https://other.example/"]`, "/text": `x`, "/long": `["` + strings.Repeat("x", 70<<10) + `"]`}
	sector := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/good", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(documents[r.URL.Path]))
	}))
	defer sector.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sector.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, open+fmt.Sprintf("fetch: {allowed_networks: [127.0.0.0/8], ca_file: %q}\nlimits: {registrations: 0}\n", ca))
	for path, want := range map[string]int{"/good": 201, "/bad": 400, "/text": 400, "/long": 400, "/moved": 400} {
		code, out, _ := g.send("POST", "/register", "", fmt.Sprintf(`{"redirect_uris":["https://rp.example/cb"],"sector_identifier_uri":%q}`, sector.URL+path))
		if code != want || want == 400 && out["error"] != "invalid_client_metadata" {
			t.Errorf("%s: %d %v, want %d", path, code, out, want)
		}
	}
}

// Conformance (Registration): RFC 7591 2.3: what the software statement of a trusted issuer says wins, also later; others are refused
func TestSoftwareStatements(t *testing.T) {
	sign := func(key any, alg jose.SignatureAlgorithm, claims string, typ ...jose.ContentType) string {
		var o jose.SignerOptions
		for _, t := range typ {
			o.WithType(t)
		}
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &o)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := s.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	trusted, stranger := newKey(), newKey()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: trusted.Public(), KeyID: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, fmt.Sprintf("registration: {mode: open, statement_issuers: {\"https://trust.example\": %q, \"https://else.example\": %q}}\nlimits: {registrations: 0}\n", file, file))
	const claims = `{"iss":"https://trust.example","client_name":"Approved","redirect_uris":["https://rp.example/cb"]}`
	good := sign(trusted, jose.ES256, claims)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	for what, x := range map[string][2]string{
		"good":                        {good, ""},
		"signed by a stranger":        {sign(stranger, jose.ES256, claims), "invalid_software_statement"},
		"none":                        {none, "invalid_software_statement"},
		"HMAC with the public keys":   {sign(append(set, make([]byte, 32)...), jose.HS256, claims), "invalid_software_statement"},
		"of nobody who is trusted":    {sign(trusted, jose.ES256, `{"iss":"https://evil.example"}`), "unapproved_software_statement"},
		"without issuer":              {sign(trusted, jose.ES256, `{}`), "unapproved_software_statement"},
		"expired":                     {sign(trusted, jose.ES256, `{"iss":"https://trust.example","exp":1000000000}`), "invalid_software_statement"},
		"not valid yet":               {sign(trusted, jose.ES256, `{"iss":"https://trust.example","nbf":9999999999}`), "invalid_software_statement"},
		"for another server":          {sign(trusted, jose.ES256, `{"iss":"https://trust.example","aud":"https://other.example"}`), "invalid_software_statement"},
		"with a name twice":           {sign(trusted, jose.ES256, `{"iss":"https://trust.example","client_name":"a","client_name":"b"}`), "invalid_software_statement"},
		"with an address that is bad": {sign(trusted, jose.ES256, `{"iss":"https://trust.example","redirect_uris":["http://rp.example"]}`), "invalid_redirect_uri"},
		"with the type JWT":           {sign(trusted, jose.ES256, claims, "jwt"), ""},
		"an access token":             {sign(trusted, jose.ES256, claims, "at+jwt"), "invalid_software_statement"},
		"no JWT":                      {"x", "invalid_software_statement"},
	} {
		code, out, _ := g.send("POST", "/register", "", fmt.Sprintf(`{"client_name":"Mine","redirect_uris":["https://mine.example/cb"],"software_statement":%q}`, x[0]))
		if x[1] != "" && (code != 400 || out["error"] != x[1]) || x[1] == "" && code != 201 {
			t.Errorf("%s: %d %v, want %s", what, code, out, x[1])
		}
	}
	id, token, out := g.registered(fmt.Sprintf(`{"client_name":"Mine","redirect_uris":["https://mine.example/cb"],"contacts":["a@rp.example"],"software_statement":%q}`, good))
	if out["client_name"] != "Approved" || fmt.Sprint(out["redirect_uris"]) != "[https://rp.example/cb]" || fmt.Sprint(out["contacts"]) != "[a@rp.example]" || out["software_statement"] != good {
		t.Errorf("registered: %v", out)
	}
	code, out, _ := g.send("PUT", "/register/"+id, token, fmt.Sprintf(`{"client_id":%q,"client_name":"Mine","redirect_uris":["https://mine.example/cb"]}`, id))
	if code != 200 || out["client_name"] != "Approved" || fmt.Sprint(out["redirect_uris"]) != "[https://rp.example/cb]" {
		t.Errorf("a client sheds its statement: %d %v", code, out)
	}
}

// Whoever names the host of a pairwise client in a registration sees none of its subjects, and a client that
// saw public subjects does not see pairwise ones later.
func TestStrangersJoinNoSector(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, open)
		seen := map[any]string{}
		for _, name := range []string{"Shop", "Shop of a stranger"} {
			const metadata = `"redirect_uris":["https://rp.example/cb"],"client_name":"Shop"`
			id, token, out := g.registered(`{` + metadata + `,"subject_type":"pairwise"}`)
			_, finish := g.login(id)
			_, tokens := g.tokens(id, out["client_secret"].(string), finish())
			_, me, _ := g.send("GET", "/userinfo", tokens["access_token"].(string), "")
			if other := seen[me["sub"]]; other != "" || me["sub"] == nil {
				t.Errorf("%s sees the subject %v of %s", name, me["sub"], other)
			}
			seen[me["sub"]] = name
			g.refused("a public subject later", 400, "invalid_client_metadata")(g.send("PUT", "/register/"+id, token, `{"client_id":"`+id+`",`+metadata+`}`))
		}
	})
}
