package sessionjwt_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"sallyport/provider/sessionjwt"
	"sallyport/provider/signing"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

var t0 = time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC)

type fixture struct {
	*testing.T
	keyring *seal.Keyring
	rows    []storage.Key
}

// newFixture returns a keyring with a key of the dialects and one of OpenID Connect.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	h := &fixture{T: t}
	h.keyring, h.rows = storagetest.Keyring(t, t0, seal.DialectAlg)
	h.add("dialect", t0)
	return h
}

// add adds a key that becomes active at a time.
func (h *fixture) add(use string, active time.Time) storage.Key {
	h.Helper()
	k, err := h.keyring.NewKey(use, seal.DialectAlg, t0)
	h.ok(err)
	k.ActiveAt = active
	h.rows = append(h.rows, k)
	h.load(t0)
	return k
}

func (h *fixture) load(now time.Time) {
	h.Helper()
	h.ok(h.keyring.Load(h.rows, now))
}

func (h *fixture) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func named(name string) func(storage.KeyID) string {
	return func(id storage.KeyID) string { return name + string(id) }
}

func (h *fixture) signer(name string) *sessionjwt.Signer {
	return sessionjwt.New(h.keyring, rand.Reader, signing.Form{KID: named(name)})
}

func (h *fixture) sign(s *sessionjwt.Signer, now time.Time) string {
	h.Helper()
	token, err := s.Sign(map[string]any{"sub": "user_1", "exp": t0.Add(-time.Hour).Unix()}, now)
	h.ok(err)
	return token
}

func part(t *testing.T, token string, i int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestASignedJWTIsVerifiedEvenIfExpired(t *testing.T) {
	h := newFixture(t)
	s := h.signer("jwk_")
	token := h.sign(s, t0)
	header := part(t, token, 0)
	if kid := "jwk_" + string(h.rows[len(h.rows)-1].ID); len(header) != 3 || header["alg"] != "RS256" || header["typ"] != "JWT" || header["kid"] != kid {
		t.Errorf("header = %v, want RS256, JWT and %s", header, kid)
	}
	for range 2 { // the second time from the cache
		payload, err := s.Verify(token)
		h.ok(err)
		var claims map[string]any
		h.ok(json.Unmarshal(payload, &claims))
		if claims["sub"] != "user_1" {
			t.Errorf("claims = %v", claims)
		}
	}
}

func TestForeignJWTsAreRefused(t *testing.T) {
	h := newFixture(t)
	s := h.signer("jwk_")
	good := h.sign(s, t0)
	oidc := new(signing.Keys)
	h.ok(oidc.Load(h.keyring.Signings("oidc")))
	idToken, err := oidc.Sign(seal.DialectAlg, signing.TypeIDToken, []byte(`{}`), t0)
	h.ok(err)
	// A key of OpenID Connect under the kid of a dialect.
	disguised := signing.New(signing.Form{KID: func(storage.KeyID) string { return part(t, good, 0)["kid"].(string) }}, rand.Reader)
	h.ok(disguised.Load(h.keyring.Signings("oidc")))
	underKID, err := disguised.Sign(seal.DialectAlg, signing.TypeIDToken, []byte(`{}`), t0)
	h.ok(err)
	typed := signing.New(signing.Form{KID: named("jwk_")}, rand.Reader)
	h.ok(typed.Load(h.keyring.Signings("dialect")))
	accessToken, err := typed.Sign(seal.DialectAlg, signing.TypeAccessToken, []byte(`{}`), t0)
	h.ok(err)
	head, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	encode := base64.RawURLEncoding.EncodeToString
	other := newFixture(t)
	for name, token := range map[string]string{
		"an ID token":                             idToken,
		"a key of OpenID Connect under our kid":   underKID,
		"another typ":                             accessToken,
		"of the other dialect":                    h.sign(h.signer("jwk-live-"), t0),
		"of another server":                       other.sign(other.signer("jwk_"), t0),
		"other claims":                            head + "." + encode([]byte(`{"sub":"user_2"}`)) + "." + signature,
		"no signature":                            head + "." + claims + ".",
		"the algorithm none":                      encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + claims + ".",
		"an algorithm with the key as the secret": encode([]byte(strings.Replace(`{"alg":"HS256","typ":"JWT","kid":"?"}`, "?", part(t, good, 0)["kid"].(string), 1))) + "." + claims + "." + signature,
		"two parts":                               head + "." + claims,
		"nothing":                                 "",
		"text":                                    "session",
	} {
		if payload, err := s.Verify(token); !errors.Is(err, sessionjwt.ErrInvalid) || payload != nil {
			t.Errorf("%s: Verify = %s, %v, want %v", name, payload, err, sessionjwt.ErrInvalid)
		}
	}
	if _, _, err := oidc.Verify(good); err == nil {
		t.Error("the keys of OpenID Connect verify a session JWT")
	}
}

func TestAWithdrawnKeyVerifiesNothing(t *testing.T) {
	h := newFixture(t)
	s := h.signer("jwk_")
	token := h.sign(s, t0)
	_, err := s.Verify(token)
	h.ok(err)
	rotation, err := h.keyring.Withdraw(h.rows, h.rows[len(h.rows)-1].ID, t0)
	h.ok(err)
	h.rows = append(append(h.rows[:len(h.rows)-1], rotation.Change...), rotation.Add...)
	h.load(t0)
	if _, err := s.Verify(token); !errors.Is(err, sessionjwt.ErrInvalid) {
		t.Errorf("Verify = %v, want %v", err, sessionjwt.ErrInvalid)
	}
	if _, err := s.Verify(h.sign(s, t0)); err != nil {
		t.Errorf("under the key that replaces it: %v", err)
	}
}

func TestTheNextKeySignsWhenItIsActive(t *testing.T) {
	h := newFixture(t)
	s := h.signer("")
	old := h.sign(s, t0)
	next := h.add("dialect", t0.Add(24*time.Hour))
	if n := len(keysOf(t, s)); n != 2 {
		t.Errorf("%d keys are published, want 2", n)
	}
	if kid := part(t, h.sign(s, t0), 0)["kid"]; kid == string(next.ID) {
		t.Error("the next key signs early")
	}
	later := t0.Add(24 * time.Hour)
	h.load(later)
	if kid := part(t, h.sign(s, later), 0)["kid"]; kid != string(next.ID) {
		t.Errorf("signed by %s, want %s", kid, next.ID)
	}
	if _, err := s.Verify(old); err != nil {
		t.Errorf("a JWT of the old key: %v", err)
	}
}

func TestWithoutAKeyNothingIsSigned(t *testing.T) {
	keyring, _ := storagetest.Keyring(t, t0, seal.DialectAlg)
	s := sessionjwt.New(keyring, rand.Reader, signing.Form{})
	if token, err := s.Sign(struct{}{}, t0); err == nil {
		t.Errorf("Sign = %q", token)
	}
	if got := keysOf(t, s); len(got) != 0 {
		t.Errorf("published %v", got)
	}
}

func keysOf(t *testing.T, s *sessionjwt.Signer) []map[string]any {
	t.Helper()
	document, err := s.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(document.Body, &set); err != nil || set.Keys == nil {
		t.Fatalf("%s: %v", document.Body, err)
	}
	return set.Keys
}

func TestTheKeySetHasTheFormOfItsDialect(t *testing.T) {
	h := newFixture(t)
	id := string(h.rows[len(h.rows)-1].ID)
	public := h.keyring.Signings("dialect")[0].Key.Public().(*rsa.PublicKey)
	for _, tc := range []struct {
		name     string
		form     signing.Form
		kid      string
		members  int
		detailed bool
	}{
		{"plain", signing.Form{KID: named("jwk_")}, "jwk_" + id, 6, false},
		{"detailed", signing.Form{KID: named("jwk-live-"), Detailed: true}, "jwk-live-" + id, 9, true},
	} {
		keys := keysOf(t, sessionjwt.New(h.keyring, rand.Reader, tc.form))
		if len(keys) != 1 {
			t.Fatalf("%s: %d keys, want only that of the dialects", tc.name, len(keys))
		}
		key := keys[0]
		n, err := base64.RawURLEncoding.DecodeString(key["n"].(string))
		if len(key) != tc.members || key["kid"] != tc.kid || key["kty"] != "RSA" || key["use"] != "sig" || key["alg"] != "RS256" ||
			key["e"] != "AQAB" || err != nil || new(big.Int).SetBytes(n).Cmp(public.N) != 0 {
			t.Errorf("%s: %v", tc.name, key)
		}
		if !tc.detailed {
			continue
		}
		if ops, _ := key["key_ops"].([]any); len(ops) != 1 || ops[0] != "verify" {
			t.Errorf("key_ops = %v", key["key_ops"])
		}
		chain, _ := key["x5c"].([]any)
		if len(chain) != 1 {
			t.Fatalf("x5c = %v, want one certificate", chain)
		}
		der, err := base64.StdEncoding.DecodeString(chain[0].(string))
		h.ok(err)
		certificate, err := x509.ParseCertificate(der)
		h.ok(err)
		sum := sha256.Sum256(der)
		if !public.Equal(certificate.PublicKey) || key["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
			t.Errorf("the certificate is for another key, or x5t#S256 for another certificate: %v", key)
		}
	}
}

// Several servers publish the same key set, whichever of them a backend asks.
func TestEveryServerPublishesTheSameKeySet(t *testing.T) {
	h := newFixture(t)
	form := signing.Form{KID: named("jwk-live-"), Detailed: true}
	one, err := sessionjwt.New(h.keyring, rand.Reader, form).JWKS()
	h.ok(err)
	two, err := sessionjwt.New(h.keyring, rand.Reader, form).JWKS()
	h.ok(err)
	if !bytes.Equal(one.Body, two.Body) || one.ETag != two.ETag {
		t.Errorf("%s\n%s", one.Body, two.Body)
	}
}
