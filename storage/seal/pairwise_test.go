package seal

import (
	"crypto/rand"
	"testing"
)

// A pairwise identifier is stable, of its sector and purpose alone, and leads back.
func TestPairwise(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 1)
	id := [16]byte{1, 2, 3}
	seen := map[[16]byte]string{id: "the identifier itself"}
	for _, tc := range [][2]string{{"subject", "a.example"}, {"subject", "b.example"}, {"session", "a.example"}, {"subjecta", ".example"}, {"subject", ""}} {
		got, ok := k.Pairwise(tc[0], tc[1], id)
		again, _ := k.Pairwise(tc[0], tc[1], id)
		back, found := k.FromPairwise(tc[0], tc[1], got)
		if !ok || !found || got != again || back != id {
			t.Errorf("%v: %x, then %x; back to %x", tc, got, again, back)
		}
		if before, taken := seen[got]; taken {
			t.Errorf("%v has the identifier of %s", tc, before)
		}
		seen[got] = tc[0] + " " + tc[1]
	}
	if _, ok := New(newKEKs(t, 1), k.random).Pairwise("subject", "a.example", id); ok {
		t.Error("a keyring without keys has pairwise identifiers")
	}
	if _, ok := New(newKEKs(t, 1), k.random).FromPairwise("subject", "a.example", id); ok {
		t.Error("a keyring without keys reads pairwise identifiers")
	}
}

// Clients store what is derived from the key, so nothing replaces it.
func TestTheKeyOfPairwiseSubjectsNeverChanges(t *testing.T) {
	k := New(newKEKs(t, 1), rand.Reader)
	rows := first(t, k, t0)
	key := rows[0]
	for _, row := range rows {
		if row.Use == pairwise {
			key = row
		}
	}
	if key.Use != pairwise {
		t.Fatal("a new server has no such key")
	}
	if _, err := k.Rotate(rows, pairwise, "", t0, Settle); err == nil {
		t.Error("it was rotated")
	}
	if _, err := k.Withdraw(rows, key.ID, t0); err == nil {
		t.Error("it was withdrawn")
	}
	if _, err := k.Release(rows, key.ID, t0); err == nil {
		t.Error("it was released")
	}
	if RotatesByAge(pairwise) {
		t.Error("it rotates by age")
	}
}
