package clients

import (
	"strings"
	"testing"

	"sallyport/storage"
)

// Conformance (Subjects): Core 8.1, Registration 5: redirect URIs of several hosts, or without a host of their own, need a sector_identifier_uri
func TestSectors(t *testing.T) {
	for _, tc := range []struct {
		name  string
		uri   string // sector_identifier_uri
		uris  []string
		want  string
		field string // with the fault
	}{
		{"one host", "", []string{"https://rp.example/cb", "https://RP.example:8443/other"}, "rp.example", ""},
		{"an international host in two spellings", "", []string{"https://b\u00fccher.example/cb", "https://xn--bcher-kva.example/cb"}, "xn--bcher-kva.example", ""},
		{"two hosts", "", []string{"https://a.example/cb", "https://b.example/cb"}, "", "sector_identifier_uri"},
		{"two hosts of one sector", "https://sector.example/uris.json", []string{"https://a.example/cb", "https://b.example/cb"}, "sector.example", ""},
		{"a private-use scheme", "", []string{"com.example.app:/cb"}, "", "sector_identifier_uri"},
		{"a private-use scheme with the host of somebody else", "", []string{"com.example.app://rp.example/cb"}, "", "sector_identifier_uri"},
		{"a private-use scheme with a sector", "https://sector.example/", []string{"com.example.app:/cb"}, "sector.example", ""},
		{"a loopback address, which is everybody's", "", []string{"http://127.0.0.1/cb"}, "", "sector_identifier_uri"},
		{"localhost", "", []string{"http://localhost:3000/cb"}, "", "sector_identifier_uri"},
		{"::1", "", []string{"http://[::1]:3000/cb"}, "", "sector_identifier_uri"},
		{"no redirect URI", "", nil, "", "sector_identifier_uri"},
		{"a sector without TLS", "http://sector.example/", []string{"https://a.example/cb"}, "sector.example", "sector_identifier_uri"},
	} {
		c := storage.Client{ID: "rp", AuthMethod: "none", Public: true, Native: true, GrantTypes: []string{"authorization_code"},
			RedirectURIs: tc.uris, MFA: "OFF", Consent: "skip", SubjectType: "pairwise", SectorIdentifierURI: tc.uri}
		if tc.uris == nil {
			c.GrantTypes = []string{"refresh_token", "authorization_code"}
		}
		if got := New(c).Sector; got != tc.want {
			t.Errorf("%s: sector %q, want %q", tc.name, got, tc.want)
		}
		found := false
		for _, f := range Faults(c) {
			found = found || f.Field == "sector_identifier_uri"
		}
		if found != (tc.field != "") {
			t.Errorf("%s: faults %v", tc.name, Faults(c))
		}
		c.SubjectType = "public"
		if got := New(c).Sector; got != "" {
			t.Errorf("%s: public subjects of sector %q", tc.name, got)
		}
	}
}

// A client that registered itself shares its subjects with no other, whatever addresses it names.
func TestARegisteredClientIsItsOwnSector(t *testing.T) {
	seen := map[string]bool{SectorOf(storage.Client{ID: "clinic", SubjectType: Pairwise, RedirectURIs: []string{"https://clinic.example/cb"}}): true}
	for _, c := range []storage.Client{
		{ID: "a", RedirectURIs: []string{"https://clinic.example/cb"}},
		{ID: "b", RedirectURIs: []string{"https://clinic.example/cb"}},
		{ID: "c", RedirectURIs: []string{"https://clinic.example/cb"}, SectorIdentifierURI: "https://clinic.example/sector.json"},
		{ID: "clinic.example", RedirectURIs: []string{"com.example.clinic:/cb"}},
	} {
		c.SubjectType, c.Registration = Pairwise, &storage.Registration{}
		sector := New(c).Sector
		if sector == "" || seen[sector] {
			t.Errorf("client %s is in the sector %q of another", c.ID, sector)
		}
		seen[sector] = true
	}
}

func TestSubjectAndEncryptionFaults(t *testing.T) {
	enc := []byte(`{"keys":[{"kty":"EC","crv":"P-256","use":"enc","kid":"e","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`)
	for field, change := range map[string]func(*storage.Client){
		"subject_type": func(c *storage.Client) { c.SubjectType = "secret" },
		"subject_type, of clients that manage factors": func(c *storage.Client) { c.SubjectType, c.ManagesFactors = "pairwise", true },
		"id_token_encrypted_response_alg":              func(c *storage.Client) { c.IDTokenEncryptionAlg = "ECDH-ES" },
		"id_token_encrypted_response_alg, RSA1_5":      func(c *storage.Client) { c.JWKSURI, c.IDTokenEncryptionAlg = "https://rp.example/jwks", "RSA1_5" },
		"id_token_encrypted_response_alg, dir":         func(c *storage.Client) { c.JWKSURI, c.IDTokenEncryptionAlg = "https://rp.example/jwks", "dir" },
		"id_token_encrypted_response_alg, passwords": func(c *storage.Client) {
			c.JWKSURI, c.IDTokenEncryptionAlg = "https://rp.example/jwks", "PBES2-HS256+A128KW"
		},
		"id_token_encrypted_response_alg, of another key": func(c *storage.Client) {
			c.JWKS, c.IDTokenEncryptionAlg = enc, "RSA-OAEP-256"
		},
		"id_token_encrypted_response_alg, in the fragment": func(c *storage.Client) {
			c.JWKS, c.IDTokenEncryptionAlg, c.LegacyResponseTypes = enc, "ECDH-ES", []string{"code id_token"}
		},
		"id_token_encrypted_response_enc": func(c *storage.Client) { c.IDTokenEncryptionEnc = "A128GCM" },
		"userinfo_encrypted_response_enc": func(c *storage.Client) {
			c.JWKS, c.UserinfoEncryptionAlg, c.UserinfoEncryptionEnc = enc, "ECDH-ES", "A192GCM"
		},
		"authorization_encrypted_response_alg": func(c *storage.Client) { c.AuthorizationEncryptionAlg = "ECDH-ES" },
		"authorization_encrypted_response_alg, of keys elsewhere": func(c *storage.Client) {
			c.JWKSURI, c.AuthorizationEncryptionAlg = "https://rp.example/jwks", "ECDH-ES"
		},
		"authorization_encrypted_response_alg, of another key": func(c *storage.Client) {
			c.JWKS, c.AuthorizationEncryptionAlg = enc, "RSA-OAEP-256"
		},
		"authorization_encrypted_response_enc": func(c *storage.Client) { c.AuthorizationEncryptionEnc = "A128GCM" },
		"userinfo_signed_response_alg":         func(c *storage.Client) { c.UserinfoAlg = "none" },
		"jwks": func(c *storage.Client) {
			c.JWKS, c.AuthMethod, c.SecretHashes = enc, "private_key_jwt", nil
		},
	} {
		c := storage.Client{ID: "rp", AuthMethod: "client_secret_basic", SecretHashes: [][]byte{make([]byte, 32)}, GrantTypes: []string{"authorization_code"},
			RedirectURIs: []string{"https://rp.example/cb"}, MFA: "OFF", Consent: "skip"}
		change(&c)
		name, _, _ := strings.Cut(field, ",")
		if faults := Faults(c); len(faults) != 1 || faults[0].Field != name {
			t.Errorf("faults of %s: %v", field, faults)
		}
	}
}
