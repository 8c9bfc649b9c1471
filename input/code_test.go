package input_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"sallyport/input"
)

func TestCodesAreReadAsPeopleTypeThem(t *testing.T) {
	for _, tc := range []struct{ name, typed, want string }{
		{"as issued", "123456", "123456"},
		{"in groups", " 123 456\n", "123456"},
		{"with a no-break space", "123\u00a0456", "123456"},
		{"with a narrow no-break space", "123\u202f456", "123456"},
		{"with an ideographic space", "123\u3000456", "123456"},
		{"with a hyphen", "123-456", "123456"},
		{"with an en dash", "123–456", "123456"},
		{"with a minus sign", "123−456", "123456"},
		{"with a full-width hyphen", "123－456", "123456"},
		{"with the dash of a Japanese keyboard", "123ー456", "123456"},
		{"with a soft hyphen", "123\u00ad456", "123456"},
		{"with a zero-width space", "123\u200b456", "123456"},
		{"with direction marks", "\u200e123456\u202c", "123456"},
		{"after a byte order mark", "\ufeff123456", "123456"},
		{"full-width", "１２３４５６", "123456"},
		{"Arabic", "١٢٣٤٥٦", "123456"},
		{"Persian", "۱۲۳۴۵۶", "123456"},
		{"Devanagari", "१२३४५६", "123456"},
		{"mathematical", "𝟏𝟐𝟑𝟜𝟝𝟞", "123456"},
		{"full-width letters", "ＡＢＣＤＥ－ｆｇｈｉｊ", "ABCDEfghij"},
		{"what is not a digit stays", "12345a", "12345a"},
		{"a dot is no dash", "123.456", "123.456"},
		{"not UTF-8", "12345\xff", "12345\xff"},
		{"too long", strings.Repeat(" ", 1025), strings.Repeat(" ", 1025)},
		{"nothing", "", ""},
	} {
		if got := input.Code(tc.typed); got != tc.want {
			t.Errorf("%s: Code(%q) = %q, want %q", tc.name, tc.typed, got, tc.want)
		}
	}
}

// TestEveryDecimalDigitHasItsValue counts through the digits of every script.
func TestEveryDecimalDigitHasItsValue(t *testing.T) {
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.IsDigit(r) {
			continue
		}
		if got, want := input.Code(string(r)), fmt.Sprint(n%10); got != want {
			t.Errorf("Code(%U) = %q, want %q", r, got, want)
		}
		n++
	}
	if n < 600 || n%10 != 0 {
		t.Errorf("%d digits", n)
	}
}
