package recovery

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"sallyport/storage"
)

func TestRecoverySpellings(t *testing.T) {
	for typed, want := range map[string]string{
		"ABCDEF-GHIJKL-MNOPQR-234567": "abcdefghijklmnopqr234567", "abcdefghijklmnopqr234567": "abcdefghijklmnopqr234567",
		" Ab12-cd34 - EF56\t": "ab12cd34ef56", "ab12c–d34ef": "ab12cd34ef", "ab12c—d34ef\u00a0": "ab12cd34ef",
		"ab12cd34ef5": "ab12cd34ef5", "abcdefghijklmnopqr01891": "abcdefghijklmnopqr01891", // of other systems
		"1234 5678": "12345678", "１２３４－５６７８": "12345678", "١٢٣٤٥٦٧٨": "12345678", "ab12\u200bcd34": "ab12cd34", "AB12−CD34": "ab12cd34",
		"9f86-d081-884c-7d65-9a2f-eaa0-c55a-d015": "9f86d081884c7d659a2feaa0c55ad015",
		strings.Repeat("a", 64):                   strings.Repeat("a", 64),
		"":                                        "", "ab12": "", "1234-567": "", "ab12c_d34ef": "", "äb12cd34ef": "", "ab12cd34ef!!": "", "1. ab12cd34ef": "",
		strings.Repeat("a", 65): "", "ab12cd34\xff": "",
	} {
		got, ok := Canonical(typed)
		if got != want || ok != (want != "") {
			t.Errorf("CanonicalRecovery(%q) = %q, %v; want %q", typed, got, ok, want)
		}
	}
}

func FuzzRecovery(f *testing.F) {
	f.Add("ABCDEF-GHIJKL-MNOPQR-234567")
	f.Add("ab12-cd34-ef56")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := Canonical(typed)
		if !ok {
			return
		}
		again, ok := Canonical(Show(code))
		if !ok || again != code {
			t.Errorf("%q is shown as %q and read as %q", code, Show(code), again)
		}
	})
}

func TestRecoveryCodesAreDistinctAndWellFormed(t *testing.T) {
	codes, err := New(noCodes{}, rand.Reader).Codes(500)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range codes {
		if got, ok := Canonical(c); !ok || got != c || len(c) != 24 || seen[c] {
			t.Fatalf("code %q", c)
		}
		seen[c] = true
	}
}

type noCodes struct{}

func (noCodes) RecoveryCodes(context.Context, storage.UserID) ([]string, error) { return nil, nil }
