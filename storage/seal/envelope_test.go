package seal

import (
	"bytes"
	"errors"
	"testing"
)

func TestSealAndOpen(t *testing.T) {
	t.Run("XAES-256-GCM", func(t *testing.T) { sealAndOpen(t, loaded(t, newKEKs(t, 1), 1), extendedVersion) })
	t.Run("a key of an earlier version", func(t *testing.T) { sealAndOpen(t, loadedBefore(t, newKEKs(t, 1)), plainVersion) })
}

func sealAndOpen(t *testing.T, k *Keyring, version byte) {
	t.Helper()
	for _, plain := range [][]byte{{}, {0}, []byte("secret"), bytes.Repeat([]byte{7}, 100000)} {
		sealed, err := k.Seal("authenticator:totp", "user/id", plain)
		if err != nil {
			t.Fatal(err)
		}
		if sealed[0] != version {
			t.Errorf("the envelope has version %d, want %d", sealed[0], version)
		}
		if len(plain) > 2 && bytes.Contains(sealed, plain) {
			t.Error("the envelope contains the plaintext")
		}
		got, err := k.Open("authenticator:totp", "user/id", sealed)
		if err != nil || got == nil || !bytes.Equal(got, plain) {
			t.Errorf("Open = %x, %v, want %x", got, err, plain)
		}
		again, err := k.Seal("authenticator:totp", "user/id", plain)
		if err != nil || bytes.Equal(again, sealed) {
			t.Error("two envelopes are equal")
		}
	}
	if sealed, err := k.Seal("p", "r", nil); sealed != nil || err != nil {
		t.Errorf("Seal(nil) = %x, %v, want nil", sealed, err)
	}
	if plain, err := k.Open("p", "r", nil); plain != nil || err != nil {
		t.Errorf("Open(nil) = %x, %v, want nil", plain, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	keks := newKEKs(t, 1)
	t.Run("XAES-256-GCM", func(t *testing.T) { openRefuses(t, loaded(t, keks, 1), loaded(t, keks, 1)) })
	t.Run("a key of an earlier version", func(t *testing.T) { openRefuses(t, loadedBefore(t, keks), loadedBefore(t, keks)) })
}

func openRefuses(t *testing.T, k, other *Keyring) {
	t.Helper()
	sealed, err := k.Seal("purpose", "row", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Seal("purpose", "row", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	hash := k.state.Load().byUse["hash"][0]
	for _, c := range []struct {
		name, purpose, row string
		sealed             []byte
	}{
		{"another purpose", "purpose2", "row", sealed},
		{"another row", "purpose", "row2", sealed},
		{"purpose and row run together", "purposer", "ow", sealed},
		{"an empty purpose", "", "purposerow", sealed},
		{"another server's key", "purpose", "row", foreign},
		{"a key of another use", "purpose", "row", append(append([]byte{sealed[0]}, hash.raw[:]...), sealed[17:]...)},
		{"empty", "purpose", "row", []byte{}},
		{"the head only", "purpose", "row", sealed[:17]},
		{"the head and a part of the nonce", "purpose", "row", sealed[:17+11]},
		{"the head and a nonce", "purpose", "row", sealed[:17+24]},
		{"the other version", "purpose", "row", append([]byte{sealed[0] ^ 3}, sealed[1:]...)},
		{"cut short", "purpose", "row", sealed[:len(sealed)-1]},
		{"something behind it", "purpose", "row", append(bytes.Clone(sealed), 0)},
	} {
		if plain, err := k.Open(c.purpose, c.row, c.sealed); !errors.Is(err, ErrTampered) || plain != nil {
			t.Errorf("%s: Open = %x, %v, want %v", c.name, plain, err, ErrTampered)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 0x10
		if plain, err := k.Open("purpose", "row", changed); !errors.Is(err, ErrTampered) || plain != nil {
			t.Errorf("byte %d changed: Open = %x, %v, want %v", i, plain, err, ErrTampered)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := loaded(f, newKEKs(f, 1), 1)
	sealed, err := k.Seal("p", "r", []byte("secret"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{1})
	f.Add(sealed[:17])
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := k.Open("p", "r", b)
		if bytes.Equal(b, sealed) {
			return
		}
		if b != nil && !errors.Is(err, ErrTampered) || plain != nil {
			t.Errorf("Open(%x) = %x, %v", b, plain, err)
		}
	})
}
