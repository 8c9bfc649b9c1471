package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"sallyport/storage"
)

// TestXAES has the vectors of c2sp.org/XAES-256-GCM: with a carry in K1 and without.
func TestXAES(t *testing.T) {
	for _, tc := range []struct {
		key             byte
		additional, box string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x, err := rawXAES(bytes.Repeat([]byte{tc.key}, keyLength))
		if err != nil {
			t.Fatal(err)
		}
		box, err := hex.DecodeString(tc.box)
		if err != nil {
			t.Fatal(err)
		}
		nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		plain, err := x.open(append(nonce, box...), []byte(tc.additional))
		if err != nil || string(plain) != "XAES-256-GCM" {
			t.Errorf("key %d: open = %q, %v", tc.key, plain, err)
		}
	}
}

// TestEachValueHasItsSubkey: the bound of NIST SP 800-38D section 8.3 holds because no two
// values share a subkey.
func TestEachValueHasItsSubkey(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 1)
	seen := map[string]bool{}
	for range 10000 {
		sealed, err := k.Seal("p", "r", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		salt := string(sealed[headLength : headLength+saltLength])
		if seen[salt] {
			t.Fatal("two values have the same subkey")
		}
		seen[salt] = true
	}
	a, err := k.state.Load().current("data").extended.box(make([]byte, saltLength))
	if err != nil {
		t.Fatal(err)
	}
	other := make([]byte, saltLength)
	other[saltLength-1] = 1
	b, err := k.state.Load().current("data").extended.box(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(nil, nil, a.Seal(nil, nil, []byte("x"), nil), nil); err == nil {
		t.Error("two salts have the same subkey")
	}
}

func TestSealWithoutRandomnessFails(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 1)
	k.random = bytes.NewReader(make([]byte, saltLength-1))
	if sealed, err := k.Seal("p", "r", []byte("x")); err == nil {
		t.Errorf("Seal = %x", sealed)
	}
}

// TestOpenEarlierVersion opens a key and a value stored before XAES-256-GCM.
func TestOpenEarlierVersion(t *testing.T) {
	keks, err := ParseKEKs([]byte("kek-a7f6b96f:nadcSE7M9DTDNZy7684wq+N5mWIlPH80FBVOdXr3YJY="))
	if err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString("01e13409e24ee42b25c9b25d894220e1aa6819bf60190b6fbbac29d52b7063b259c070da3251dd4cde9550413344b7d3bda7e59421d4925ebf990d38fa")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString("0101a19467e800703f9b6e8fd10459f73556ea02e9caf80d56f8d74d20ef71e75011344d5cf91ac5a2a15f2e5320dd49c7ecf77a295293fc0be7ac0399c096e44ad4eaad36577e4b16")
	if err != nil {
		t.Fatal(err)
	}
	k := New(keks, rand.Reader)
	row := storage.Key{ID: "01a19467-e800-703f-9b6e-8fd10459f735", Use: "data", KEK: keks[0].ID, Sealed: key}
	if err := k.Load([]storage.Key{row}, t0); err != nil {
		t.Fatal(err)
	}
	if plain, err := k.Open("purpose", "row", sealed); err != nil || string(plain) != "sealed by the version before" {
		t.Errorf("Open = %q, %v", plain, err)
	}
	if _, err := k.Open("purpose", "another row", sealed); !errors.Is(err, ErrTampered) {
		t.Errorf("Open in another row = %v, want %v", err, ErrTampered)
	}
}

// TestUpgradeChangesAlgorithm: a key from before XAES-256-GCM keeps its algorithm, so that
// servers of that version can open what it seals; the next key is stored a day ahead.
func TestUpgradeChangesAlgorithm(t *testing.T) {
	k := loadedBefore(t, newKEKs(t, 1))
	old, err := k.Seal("p", "r", []byte("x"))
	if err != nil || old[0] != plainVersion || !k.SealedByCurrent(old) {
		t.Fatalf("Seal = %x, %v", old, err)
	}
	key := k.state.Load().current("data").row
	rows := []storage.Key{key}
	if !Outdated(key) || Outdated(k.state.Load().current("hash").row) {
		t.Error("the key of an earlier version is not outdated, or a hash key is")
	}
	for _, tc := range []struct{ lead, want time.Duration }{{Settle, Settle}, {Lead("data", false), 24 * time.Hour}} {
		r, err := k.Rotate(rows, "data", "", t0, tc.lead)
		if err != nil || len(r.Add) != 1 || len(r.Change) != 1 || !r.Add[0].ActiveAt.Equal(t0.Add(tc.want)) {
			t.Fatalf("Rotate with a lead of %s = %+v, %v; want the next key in %s", tc.lead, r, err, tc.want)
		}
	}
	r, err := k.Rotate(rows, "data", "", t0, Lead("data", false))
	if err != nil {
		t.Fatal(err)
	}
	rows = apply(rows, r)
	if _, err := k.Rotate(rows, "data", "", t0.Add(time.Minute), Lead("data", false)); !errors.Is(err, ErrPending) {
		t.Errorf("a second rotation = %v, want %v", err, ErrPending)
	}
	for _, at := range []time.Duration{0, 24*time.Hour - 1} {
		if err := k.Load(rows, t0.Add(at)); err != nil {
			t.Fatal(err)
		}
		if sealed, err := k.Seal("p", "r", []byte("x")); err != nil || sealed[0] != plainVersion {
			t.Errorf("%s later: Seal = %x, %v", at, sealed, err)
		}
	}
	now := t0.Add(24 * time.Hour)
	if err := k.Load(rows, now); err != nil {
		t.Fatal(err)
	}
	fresh, err := k.Seal("p", "r", []byte("x"))
	if err != nil || fresh[0] != extendedVersion || !k.SealedByCurrent(fresh) || k.SealedByCurrent(old) {
		t.Errorf("a day later: Seal = %x, %v; want the next key and algorithm", fresh, err)
	}
	// A server of the earlier version seals with AES-256-GCM under the next key.
	late := k.state.Load().current("data")
	straggler := append([]byte{plainVersion}, late.raw[:]...)
	straggler = late.box.Seal(straggler, nil, []byte("x"), additional("p", "r", string(late.raw[:])))
	for _, sealed := range [][]byte{old, fresh, straggler} {
		if plain, err := k.Open("p", "r", sealed); err != nil || string(plain) != "x" {
			t.Errorf("version %d: Open = %q, %v", sealed[0], plain, err)
		}
	}
	if k.SealedByCurrent(straggler) {
		t.Error("an AES-256-GCM envelope counts as current: reseal would skip it")
	}
	if Outdated(late.row) {
		t.Error("the new key is outdated")
	}
}

func FuzzOpenEarlierVersion(f *testing.F) {
	k := loadedBefore(f, newKEKs(f, 1))
	sealed, err := k.Seal("p", "r", []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := k.Open("p", "r", b); !bytes.Equal(b, sealed) && b != nil && (!errors.Is(err, ErrTampered) || plain != nil) {
			t.Errorf("Open(%x) = %x, %v", b, plain, err)
		}
	})
}

func TestDataKeyHasOneAlgorithm(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	row, err := k.NewKey("data", "", t0)
	if err != nil || row.Alg != "XAES-256-GCM" {
		t.Errorf("NewKey = %+v, %v", row, err)
	}
	if _, err := k.NewKey("data", "AES-256-GCM", t0); err == nil {
		t.Error("a data key of another algorithm was created")
	}
}
