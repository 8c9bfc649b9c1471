package clientkeys

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage"
)

// used is the public key of a pair with a use and an algorithm.
func used(p pair, use, alg string) jose.JSONWebKey {
	key := p.public
	key.Use, key.Algorithm = use, alg
	return key
}

// read decrypts as a client does, and returns the payload and the header.
func read(t *testing.T, text string, key any) (string, map[string]any) {
	t.Helper()
	jwe, err := jose.ParseEncryptedCompact(text, keyAlgorithms[:], contentAlgorithms[:])
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jwe.Decrypt(key)
	if err != nil {
		t.Fatalf("decrypt: %v", err)
	}
	return string(payload), headerOf(t, text)
}

func headerOf(t *testing.T, text string) map[string]any {
	t.Helper()
	first, _, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]any
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	return header
}

// Conformance (Encryption): RFC 7518 4.1, 5.1: RSA-OAEP-256, ECDH-ES alone, +A128KW and +A256KW, each with A128CBC-HS256, A128GCM and A256GCM; never `zip`
func TestWhatIsEncryptedOpensWithTheKeyOfTheClient(t *testing.T) {
	rs, es, other := newPair(t, "RS256", "r"), newPair(t, "ES256", "e"), newPair(t, "ES384", "p384")
	r := resolver(nil, time.Now)
	for _, p := range []pair{rs, es, other} {
		for _, alg := range EncryptionAlgorithms() {
			if strings.HasPrefix(alg, "RSA") != (p.public.KeyID == "r") {
				continue
			}
			for _, enc := range append(ContentEncryptions(), "") {
				c := &storage.Client{JWKS: set(t, p.public)}
				text, err := r.Encrypt(context.Background(), c, Encryption{Alg: alg, Enc: enc, Issuer: "https://op.example"}, []byte("payload"), enc != "")
				if err != nil {
					t.Errorf("%s %s %s: %v", p.public.KeyID, alg, enc, err)
					continue
				}
				payload, header := read(t, text, p.private)
				if enc == "" {
					enc = "A128CBC-HS256"
				} else if header["cty"] != "JWT" {
					t.Errorf("cty = %v", header["cty"])
				}
				if payload != "payload" || header["alg"] != alg || header["enc"] != enc || header["kid"] != p.public.KeyID || header["iss"] != "https://op.example" {
					t.Errorf("%s: %q with %v", alg, payload, header)
				}
				for _, never := range []string{"zip", "p2c", "jwk", "jku", "x5c"} {
					if _, found := header[never]; found {
						t.Errorf("the header has %s: %v", never, header)
					}
				}
			}
		}
	}
}

// Conformance (Encryption): RFC 7517 4.2, 4.3, RFC 8725 3.5: a key is for its `use`, `key_ops` and `alg` only, and of 2048 bits or more
func TestWhichKeyEncrypts(t *testing.T) {
	a, b, rs, weak, ed := newPair(t, "ES256", "same"), newPair(t, "ES256", "same"), newPair(t, "RS256", "r"), newPair(t, "RSA-1024", "w"), newPair(t, "EdDSA", "ed")
	verifies := strings.Replace(string(set(t, a.public)), `"kty"`, `"key_ops":["verify"],"kty"`, 1)
	for _, tc := range []struct {
		name string
		set  []byte
		alg  string
		want any // the private key that opens it; nil: there is none
	}{
		{"one for encryption before another, of the same kid", set(t, used(a, "sig", ""), used(b, "enc", "")), "ECDH-ES", b.private},
		{"one for encryption alone before one for anything", set(t, a.public, used(b, "enc", "")), "ECDH-ES", b.private},
		{"one for anything", set(t, a.public), "ECDH-ES", a.private},
		{"the first of two", set(t, used(b, "enc", ""), used(a, "enc", "")), "ECDH-ES", b.private},
		{"its alg", set(t, used(a, "enc", "ECDH-ES+A128KW"), used(b, "enc", "ECDH-ES")), "ECDH-ES", b.private},
		{"signatures alone", set(t, used(a, "sig", "")), "ECDH-ES", nil},
		{"an alg of signatures", set(t, used(a, "", "ES256")), "ECDH-ES", nil},
		{"operations without encryption", []byte(verifies), "ECDH-ES", nil},
		{"another type", set(t, rs.public, ed.public), "ECDH-ES", nil},
		{"another type for RSA", set(t, a.public), "RSA-OAEP-256", nil},
		{"a short RSA key", set(t, weak.public), "RSA-OAEP-256", nil},
		{"RSA1_5, which the key names", set(t, used(rs, "enc", "RSA1_5")), "RSA1_5", nil},
		{"RSA1_5 for a key of anything", set(t, rs.public), "RSA1_5", nil},
		{"a password, with as many rounds as the client wants", []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"PBES2-HS256+A128KW","p2c":2000000000}]}`), "PBES2-HS256+A128KW", nil},
		{"dir", []byte(`{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}]}`), "dir", nil},
		{"no alg", set(t, rs.public), "", nil},
	} {
		r := resolver(nil, time.Now)
		text, err := r.Encrypt(context.Background(), &storage.Client{JWKS: tc.set}, Encryption{Alg: tc.alg}, []byte("payload"), true)
		if tc.want == nil {
			if !errors.Is(err, ErrNoEncryptionKey) || CanEncrypt(tc.set, tc.alg) {
				t.Errorf("%s: %q, %v, want %v", tc.name, text, err, ErrNoEncryptionKey)
			}
			continue
		}
		if err != nil || !CanEncrypt(tc.set, tc.alg) {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if payload, _ := read(t, text, tc.want); payload != "payload" {
			t.Errorf("%s: %q", tc.name, payload)
		}
	}
	if _, err := resolver(nil, time.Now).Encrypt(context.Background(), &storage.Client{}, Encryption{Alg: "ECDH-ES"}, nil, true); !errors.Is(err, ErrNoKeys) {
		t.Errorf("a client without keys = %v, want %v", err, ErrNoKeys)
	}
}

// Conformance (Encryption): OpenID Connect Core 10.2.1: the client changes its key at the `jwks_uri`
func TestEncryptionKeysRotate(t *testing.T) {
	c, s, put, calls := published(t)
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	r := resolver(s, func() time.Time { return now })
	a, b := newPair(t, "ES256", "a"), newPair(t, "ES256", "b")
	encrypt := func() (string, error) {
		return r.Encrypt(context.Background(), c, Encryption{Alg: "ECDH-ES"}, []byte("payload"), true)
	}
	put(set(t, used(a, "sig", "")))
	if _, err := encrypt(); !errors.Is(err, ErrNoEncryptionKey) {
		t.Errorf("no key for encryption = %v, want %v", err, ErrNoEncryptionKey)
	}
	put(set(t, used(a, "enc", "")))
	now = now.Add(refetch) // it is looked for again
	text, err := encrypt()
	if err != nil {
		t.Fatal(err)
	}
	read(t, text, a.private)
	put(set(t, used(b, "enc", "")))
	now = now.Add(keysKept)
	if text, err = encrypt(); err != nil {
		t.Fatal(err)
	}
	read(t, text, b.private)
	if calls.Load() != 4 {
		t.Errorf("%d calls, want 4", calls.Load())
	}
	s.Close()
	now = now.Add(2 * time.Hour)
	if _, err := encrypt(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("long after the set went away = %v, want %v", err, ErrUnavailable)
	}
	big := httptest.NewTLSServer(s.Config.Handler)
	defer big.Close()
	put([]byte(fmt.Sprintf(`{"keys":[],"x":%q}`, strings.Repeat("x", MaxSet))))
	if _, err := resolver(big, time.Now).Encrypt(context.Background(), &storage.Client{JWKSURI: big.URL}, Encryption{Alg: "ECDH-ES"}, nil, true); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a huge set = %v, want %v", err, ErrUnavailable)
	}
}
