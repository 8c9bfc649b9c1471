package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"sallyport/storage"
)

func TestHashBindsPurpose(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 2)
	seen := map[string]string{}
	for _, c := range [][2]string{{"request", "a"}, {"exchange", "a"}, {"request", "b"}, {"reques", "ta"}, {"", "requesta"}, {"request", ""}} {
		for _, use := range []string{"hash", "session", "token", "subject"} {
			name := use + ":" + c[0] + ":" + c[1]
			sum := string(k.MAC(use, c[0], c[1]))
			if other, twice := seen[sum]; twice || len(sum) != 32 {
				t.Errorf("%s and %s have the same hash", name, other)
			}
			seen[sum] = name
		}
	}
	for _, use := range []string{"data", "pepper", "oidc", "nonsense"} {
		if k.MAC(use, "p", "v") != nil || len(k.MACs(use, "p", "v")) != 0 || k.Token(use, [16]byte{}, 1) != "" {
			t.Errorf("a key of use %q hashes", use)
		}
	}
}

func TestMask(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 1)
	a := k.Mask("request-1", "user-1")
	if _, ok := storage.Bytes(a); !ok {
		t.Errorf("Mask = %q, want the layout 8-4-4-4-12", a)
	}
	if a != k.Mask("request-1", "user-1") || a == k.Mask("request-2", "user-1") || a == k.Mask("request-1", "user-2") {
		t.Error("a masked subject is not stable in its request or not different elsewhere")
	}
}

func TestPepper(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 2)
	newest, id, ok := k.Pepper("")
	if !ok || len(newest) != 32 {
		t.Fatalf("Pepper = %d bytes, %v", len(newest), ok)
	}
	again, _, ok := k.Pepper(id)
	if !ok || !bytes.Equal(again, newest) {
		t.Error("the newest pepper is not found by its ID")
	}
	older := k.state.Load().byUse["pepper"][1].row.ID
	if key, kid, ok := k.Pepper(older); !ok || kid != older || bytes.Equal(key, newest) {
		t.Error("the older pepper is not found")
	}
	for _, id := range []storage.KeyID{"x", storage.KeyID(storage.Random128(rand.Reader)), k.state.Load().byUse["hash"][0].row.ID} {
		if _, _, ok := k.Pepper(id); ok {
			t.Errorf("%q is a pepper", id)
		}
	}
}

func TestSignings(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	var rows []storage.Key
	for i, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		row, err := k.NewKey("oidc", alg, t0.Add(time.Duration(i)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	dialect, err := k.NewKey("dialect", "ES256", t0)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Load(append(rows, dialect), t0.Add(90*time.Minute)); err != nil {
		t.Fatal(err)
	}
	keys := k.Signings("oidc")
	var algs []string
	for _, s := range keys {
		algs = append(algs, s.Alg)
		switch key := s.Key.Public().(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() != 2048 {
				t.Errorf("%s: %d bits, want 2048", s.Alg, key.N.BitLen())
			}
		case *ecdsa.PublicKey, ed25519.PublicKey:
		default:
			t.Errorf("%s: key is %T", s.Alg, key)
		}
	}
	if want := []string{"EdDSA", "ES256", "PS256", "RS256"}; !slices.Equal(algs, want) {
		t.Errorf("algorithms = %v, want %v", algs, want)
	}
	if keys[0].ActiveOn(t0.Add(90*time.Minute)) || !keys[3].ActiveOn(t0.Add(90*time.Minute)) {
		t.Error("a future key signs, or the current one does not")
	}
	sum := sha256.Sum256([]byte("message"))
	signature, err := keys[1].Key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(keys[1].Key.Public().(*ecdsa.PublicKey), sum[:], signature) {
		t.Errorf("the signature does not verify: %v", err)
	}
	if n := len(k.Signings("dialect")); n != 1 {
		t.Errorf("%d dialect keys, want 1", n)
	}
	if k.Signings("hash") != nil {
		t.Error("hash keys sign")
	}
	for _, c := range [][2]string{{"oidc", "HS256"}, {"oidc", "none"}, {"oidc", ""}, {"data", "RS256"}, {"nonsense", ""}} {
		if _, err := k.NewKey(c[0], c[1], t0); err == nil {
			t.Errorf("NewKey(%q, %q) returned a key", c[0], c[1])
		}
	}
}
