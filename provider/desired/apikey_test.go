package desired

import (
	"testing"
	"time"

	"sallyport/config/strict/stricttest"
)

func TestAPIKeysOfAState(t *testing.T) {
	s, err := Parse("state.yaml", []byte(`
api_keys:
  - name: deploy
    dialects: [admin]
    verbs: [read, write]
    disabled: false
    expires_at: 2027-12-31T23:30:00+01:00
    secret: 0123456789abcdef0123456789abcdef
  - {name: shop, dialects: [streambird], verbs: [read], app: Shop, expires_at: "2027-12-31T23:30:00Z"}
`))
	if err != nil {
		t.Fatal(err)
	}
	deploy, shop := s.APIKeys[0], s.APIKeys[1]
	for _, tc := range []struct{ what, got, want any }{
		{"a moment is kept in UTC", deploy.ExpiresAt, time.Date(2027, 12, 31, 22, 30, 0, 0, time.UTC)},
		{"a moment in quotes", shop.ExpiresAt, time.Date(2027, 12, 31, 23, 30, 0, 0, time.UTC)},
		{"an explicit no", deploy.Disabled != nil && !*deploy.Disabled, true},
		{"one that is left out", shop.Disabled == nil, true},
		{"a secret that is left out", shop.Secret, ""},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.what, tc.got, tc.want)
		}
	}

	_, err = Parse("state.yaml", []byte(`api_keys:
  - name: deploy
    expires_at: 2027-12-31
    secret_sha256: geheim
  - name: deploy
    verb: read
    expires_at: 2027
  - secret_sha256: 00ff
    expires_at: 2027-12-31T23:30:00
`))
	stricttest.Want(t, err, []string{
		"state.yaml:3: api_keys[0].expires_at: must be a time with its zone",
		"state.yaml:4: api_keys[0].secret_sha256: must be 64",
		"state.yaml:5: api_keys[1].name: another API key",
		"state.yaml:6: api_keys[1]: there is no such key; did you mean verbs?",
		"state.yaml:7: api_keys[1].expires_at: must be a time",
		"state.yaml:8: api_keys[2].secret_sha256: must be 64",
		"state.yaml:9: api_keys[2].expires_at: must be a time",
	})
}
