package token

import (
	"encoding/json"
	"testing"

	"sallyport/storage"
)

func TestClaimsAreWrittenAsEncodingJSONWritesThem(t *testing.T) {
	for _, claims := range []map[string]any{
		nil, {},
		{"iss": "https://op.example", "sub": storage.UserID("u"), "aud": storage.ClientID("rp"), "exp": int64(1 << 40), "iat": int64(-1), "email_verified": true, "amr": []string{"pwd", "otp"}},
		{"name": `Ada "<b>" & \ Co`, "tab": "a\tb", "zero": "a\x00", "del": "\x7f", "ü": "ü€😀", "line": "\u2028", "broken": "a\xffb", "": ""},
		{"address": map[string]any{"locality": "<x>"}, "nothing": nil, "int": 7, "float": 1.5, "raw": json.RawMessage(`{"a" : 1}`), "list": []any{"&", 1}},
	} {
		got, err := marshal(claims)
		want, wantErr := json.Marshal(claims)
		if claims == nil {
			want = []byte("{}") // a token has an object
		}
		if err != nil || wantErr != nil || string(got) != string(want) {
			t.Errorf("claims = %s, %v, want %s, %v", got, err, want, wantErr)
		}
	}
	if out, err := marshal(map[string]any{"f": func() {}}); err == nil {
		t.Errorf("a function as a claim = %s", out)
	}
}
