package phone_test

import (
	"testing"

	"sallyport/mfa/phone"
)

func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		possible   bool
		country    string
	}{
		{"+14152222222", "+14152222222", true, "US"},
		{"+1 (415) 222-2222", "+14152222222", true, "US"},
		{"+1 613 555 0123", "+16135550123", true, "CA"},
		{"+12025550123", "+12025550123", true, "US"},
		{"+44 20 7946 0958", "+442079460958", true, "GB"},
		{"+49 151 12345678", "+4915112345678", true, "DE"},
		{"+49.30.12345-67", "+49301234567", true, "DE"},
		{"+4915555000101", "+4915555000101", true, "DE"},
		{"+39 02 1234 5678", "+390212345678", true, "IT"},
		{"+49 (0)30 1234567", "+490301234567", false, "DE"}, // also +49301234567
		{"+7 701 234 5678", "+77012345678", true, "KZ"},
		{"+800 1234 5678", "+80012345678", true, ""},
		{"+1415222", "+1415222", false, ""},
		{"+1415222222222", "+1415222222222", false, ""},
		{"+999 1234567", "+9991234567", false, ""},
		{"+210 1234567", "+2101234567", false, ""},
		{"+123456", "", false, ""}, {"+1234567890123456", "", false, ""}, {"+0123456789", "", false, ""}, {"14152222222", "", false, ""},
		{"+1415222222a", "", false, ""}, {"+1415222+222", "", false, ""}, {"+1415२२२२२२२", "", false, ""}, {"", "", false, ""}, {"+", "", false, ""},
	} {
		got, ok := phone.Canonical(tc.text)
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("Canonical(%q) = %q, %v, want %q", tc.text, got, ok, tc.want)
			continue
		}
		if possible := phone.Possible(got); possible != tc.possible {
			t.Errorf("Possible(%q) = %v", got, possible)
		}
		if country := phone.Country(got); country != tc.country {
			t.Errorf("Country(%q) = %q, want %q", got, country, tc.country)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"+14152222222", "+49 (0)30 1234567", "+", "+++", "+1;ext=5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e164, ok := phone.Canonical(text)
		phone.Possible(text)
		phone.Country(text)
		if again, fine := phone.Canonical(e164); ok && (again != e164 || !fine) {
			t.Errorf("Canonical(%q) = %q, and of that %q", text, e164, again)
		}
	})
}
