package signing

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage/storagetest"
)

func keysFor(t testing.TB, alg string) (*Keys, time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	keyring, _ := storagetest.Keyring(t, now)
	stored, err := keyring.First(now, alg)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Load(stored, now); err != nil {
		t.Fatal(err)
	}
	k := New(Form{}, rand.Reader)
	if err := k.Load(keyring.Signings("oidc")); err != nil {
		t.Fatal(err)
	}
	return k, now
}

// A short r or s has to be padded: one of 128 signatures has one.
func TestGoJoseVerifiesEverySignature(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			k, now := keysFor(t, alg)
			key := k.current.Load().signing[0]
			for i := range 1024 {
				if strings.HasSuffix(alg, "S256") && alg != "ES256" && i == 8 {
					break // RSA is slow
				}
				payload := fmt.Sprintf(`{"n":%d}`, i)
				token, err := k.Sign(alg, TypeAccessToken, []byte(payload), now)
				if err != nil {
					t.Fatal(err)
				}
				jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{key.alg})
				if err != nil {
					t.Fatal(err)
				}
				if got, err := jws.Verify(key.public); err != nil || string(got) != payload {
					t.Fatalf("%s: payload %q, %v", token, got, err)
				}
				header, _, _ := strings.Cut(token, ".")
				text, err := base64.RawURLEncoding.DecodeString(header)
				if want := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, alg, key.kid); err != nil || string(text) != want {
					t.Fatalf("header %s, want %s", text, want)
				}
			}
		})
	}
}

func BenchmarkSignES256(b *testing.B) {
	k, now := keysFor(b, "ES256")
	payload := []byte(`{"iss":"https://login.example","sub":"8c7c4f3a","aud":"shop","exp":1700000000}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Sign("ES256", TypeIDToken, payload, now); err != nil {
			b.Fatal(err)
		}
	}
}
