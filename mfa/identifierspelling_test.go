package mfa

import "testing"

func TestNamesAreShownAsWritten(t *testing.T) {
	for typed, want := range map[string]string{
		"Ada@Example.com":            "ada@example.com",
		"jörg@Bücher.example":        "jörg@bücher.example",
		"jörg@xn--bcher-kva.example": "jörg@xn--bcher-kva.example",
		"weiß@example.com":           "weiß@example.com",
		"weiß":                       "weiß",
		"σίσυφος":                    "σίσυφος",
		"+49 170 1234567":            "+491701234567",
	} {
		i, err := Identify(typed)
		if err != nil || i.Text() != want {
			t.Errorf("Identify(%q) is shown as %q, %v, want %q", typed, i.Text(), err, want)
		}
		if again, err := Identify(i.Text()); err != nil || again != i {
			t.Errorf("%q read again is %+v, %v, want %+v", i.Text(), again, err, i)
		}
	}
}
