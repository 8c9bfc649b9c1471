package mfa

import (
	"strings"
	"testing"

	"sallyport/storage"
)

func TestCanonical(t *testing.T) {
	for _, tc := range []struct {
		typed, want string
		kind        storage.IdentifierKind
	}{
		{"ada@example.com", "ada@example.com", storage.Email},
		{"  Ada@Example.COM\t", "ada@example.com", storage.Email},
		{"ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example.com", storage.Email},
		{"jörg@bücher.example", "jörg@xn--bcher-kva.example", storage.Email},
		{"jörg@xn--BCHER-kva.example", "jörg@xn--bcher-kva.example", storage.Email},
		{"ΣΊΣΥΦΟΣ", "σίσυφοσ", storage.Username},
		{"σίσυφος", "σίσυφοσ", storage.Username},
		{"Straße", "strasse", storage.Username},
		{"JO\u0308RG@example.com", "jörg@example.com", storage.Email},
		{"o'neil+tag@example.com", "o'neil+tag@example.com", storage.Email},
		{"+49 170 1234567", "+491701234567", storage.Phone},
		{"+49 (170) 123-45.67", "+491701234567", storage.Phone},
		{"＋４９１７０１２３４５６７", "+491701234567", storage.Phone},
		{"Ada", "ada", storage.Username},
		{"ada.lovelace_1815", "ada.lovelace_1815", storage.Username},
		{"00491701234567", "00491701234567", storage.Username},
		{"\u212Aelvin", "kelvin", storage.Username},
		{"", "", ""}, {" ", "", ""}, {"@", "", ""}, {"a@", "", ""}, {"@b", "", ""}, {"a@b@c", "", ""},
		{"a b@example.com", "", ""}, {"a@exa mple.com", "", ""}, {"a@.example.com", "", ""}, {"a@example..com", "", ""},
		{`"quoted"@example.com`, "", ""}, {"a,b@example.com", "", ""}, {"<a@example.com>", "", ""}, {"a@example.com\r\nBcc: b", "", ""},
		{"+", "", ""}, {"+123", "", ""}, {"+0123456789", "", ""}, {"+1234567890123456", "", ""}, {"+49abc1234567", "", ""},
		{"ada\x00", "", ""}, {"a\u200bda", "", ""}, {"a\u202eda", "", ""}, {"a\xffda", "", ""}, {"two words", "", ""},
		{strings.Repeat("x", 65) + "@example.com", "", ""}, {strings.Repeat("x", 321), "", ""}, {strings.Repeat("x", 5000), "", ""},
	} {
		got, kind, err := Canonical(tc.typed)
		if got != tc.want || kind != tc.kind || (err == nil) != (tc.want != "") {
			t.Errorf("Canonical(%q) = %q, %q, %v; want %q, %q", tc.typed, got, kind, err, tc.want, tc.kind)
		}
		if err != nil && CodeOf(err) != InvalidIdentifier {
			t.Errorf("Canonical(%q): %v, want %s", tc.typed, err, InvalidIdentifier)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"ada@example.com", "+49 170 1234567", "Ada", "ǅ", "İ@x", "ſ", "\u0345", "\u00a8a", "+４９ 1701234567"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		once, kind, err := Canonical(typed)
		if err != nil {
			return
		}
		twice, again, err := Canonical(once)
		if err != nil || twice != once || again != kind {
			t.Errorf("Canonical(%q) = %q (%s), and of that %q (%s), %v", typed, once, kind, twice, again, err)
		}
		upper, _, err := Canonical(" " + once + " ")
		if err != nil || upper != once {
			t.Errorf("spaces around %q make it %q, %v", once, upper, err)
		}
		if len(once) > maxIdentifier || strings.ContainsAny(once, " \x00\r\n") {
			t.Errorf("Canonical(%q) = %q", typed, once)
		}
	})
}
