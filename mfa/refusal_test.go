package mfa_test

import (
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
)

// A client that sends its secret in the place of its ID must not find it in the log.
func TestASecretIsNoClaimedClient(t *testing.T) {
	for id, logged := range map[string]bool{
		"shop": true, "my-application-for-the-office-2026": true, "6f1d2c3b-7a8e-4f90-a1b2-c3d4e5f60718": true, "client.with.20.letters": true,
		"KLcY2Tx1hsCag8aiaXgoA9-L_NoPLGIgXxLKRKd2E2g": false, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c": false,
		"MFRGGZDFMZTWQ2LKNNWG23TP": false, "with a space": false, "": false,
	} {
		want := storage.ClientID("")
		if logged {
			want = storage.ClientID(id)
		}
		if got := mfa.Claimed(id); got != want {
			t.Errorf("Claimed(%q) = %q, want %q", id, got, want)
		}
	}
}
