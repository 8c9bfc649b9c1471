package totp_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/totp"
)

func TestSecretsAreReadAsAppsAndExportsWriteThem(t *testing.T) {
	const twenty, ten = "12345678901234567890", "1234567890"
	for _, tc := range []struct{ name, text, want string }{
		{"as issued", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", twenty},
		{"in lower case and groups", "gezd gnbv gy3t qojq gezd gnbv gy3t qojq", twenty},
		{"with dashes", "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ", twenty},
		{"with no-break spaces", "gezd\u00a0gnbv\u00a0gy3t\u00a0qojq\u00a0gezdgnbvgy3tqojq\n", twenty},
		{"with a zero-width space", "GEZDGNBVGY3TQOJQ\u200bGEZDGNBVGY3TQOJQ", twenty},
		{"full-width", "ＧＥＺＤＧＮＢＶＧＹ３ＴＱＯＪＱＧＥＺＤＧＮＢＶＧＹ３ＴＱＯＪＱ", twenty},
		{"16 letters of an old app", "gezd gnbv gy3t qojq", ten},
		{"with padding", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGE======", twenty + "1"},
		{"without padding", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGE", twenty + "1"},
		{"of 128 bytes", strings.Repeat("MFQWCYLBMFQWCYLB", 12) + "MFQWCYLBMFQWC", strings.Repeat("a", 128)},
		{"of 9 bytes", "GEZDGNBVGY3TQOI", ""},
		{"of 129 bytes", strings.Repeat("MFQWCYLBMFQWCYLB", 12) + "MFQWCYLBMFQWCYI", ""},
		{"with a digit that base32 lacks", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", ""},
		{"of a length that apps made up", "GEZDGNBVGY3TQOJQGEZDGNBVGY", "1234567890123456"},
		{"of one letter too many", "GEZDGNBVGY3TQOJQG", ""},
		{"of three letters too many", "GEZDGNBVGY3TQOJQGEZ", ""},
		{"of two letters too few", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQO", ""},
		{"an address", "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ", ""},
		{"nothing", "", ""},
	} {
		got, err := totp.ParseSecret(tc.text)
		if string(got) != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: ParseSecret = %q, %v, want %q", tc.name, got, err, tc.want)
		}
		if err != nil && (mfa.CodeOf(err) != mfa.InvalidRequest || len(tc.text) > 4 && strings.Contains(err.Error(), tc.text[:4])) {
			t.Errorf("%s: %v", tc.name, err)
		}
		a, err := totp.New(rand.Reader, "x", totp.Options{}).Import(tc.text, mfa.Shape{}, 0)
		if string(a.Secret) != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: Import = %q, %v, want %q", tc.name, a.Secret, err, tc.want)
		}
	}
}

func TestNewSecretsHave20Bytes(t *testing.T) {
	a, h, err := totp.New(rand.Reader, "x", totp.Options{}).Enroll(t.Context(), mfa.Holder{Label: "ada"})
	if err != nil || len(a.Secret) != 20 || len(h.Secret) != 32 {
		t.Errorf("%d bytes, %q, %v", len(a.Secret), h.Secret, err)
	}
}
