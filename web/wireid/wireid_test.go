package wireid_test

import (
	"bytes"
	"crypto/rand"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/web/wireid"
)

// A published KSUID and its parts.
const (
	ksuid   = "0ujtsYcgvSTl8PAuAdqWYSMnLOv"
	payload = "b5a1cd34-b5f9-9d11-54fb-6853345c9735"
	most    = "aWgEPTl1tmebfsQzFP4bxwgy80V" // 160 bits of ones
)

var created = time.Unix(1400000000+107608047, 0)

func TestStreambirdIdentifiersAreKSUIDs(t *testing.T) {
	if got := wireid.Streambird(wireid.StreambirdUser, storage.UserID(payload), created); got != "user_"+ksuid {
		t.Errorf("Streambird = %q, want %q", got, "user_"+ksuid)
	}
	for _, tc := range []struct {
		name    string
		created time.Time
		id      string
		want    string
	}{
		{"the first second", time.Unix(1400000000, 0), "00000000-0000-0000-0000-000000000000", "user_" + strings.Repeat("0", 27)},
		{"before the first second", time.Time{}, "00000000-0000-0000-0000-000000000000", "user_" + strings.Repeat("0", 27)},
		{"the last second", time.Unix(1400000000+1<<32-1, 0), "ffffffff-ffff-ffff-ffff-ffffffffffff", "user_" + most},
		{"after the last second", time.Unix(1<<40, 0), "ffffffff-ffff-ffff-ffff-ffffffffffff", "user_" + most},
		{"no identifier of the server", created, "alice", ""},
	} {
		if got := wireid.Streambird(wireid.StreambirdUser, tc.id, tc.created); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestOnlyStreambirdIdentifiersAreRead(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string
	}{
		{"a user", "user_" + ksuid, payload},
		{"the largest number", "user_" + most, "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		{"the smallest number", "user_" + strings.Repeat("0", 27), "00000000-0000-0000-0000-000000000000"},
		{"one more than 160 bits", "user_aWgEPTl1tmebfsQzFP4bxwgy80W", ""},
		{"27 of the last digit", "user_" + strings.Repeat("z", 27), ""},
		{"another prefix", "email_" + ksuid, ""},
		{"a prefix in capitals", "USER_" + ksuid, ""},
		{"no prefix", ksuid, ""},
		{"a prefix alone", "user_", ""},
		{"nothing", "", ""},
		{"one digit less", "user_" + ksuid[1:], ""},
		{"one digit more", "user_0" + ksuid, ""},
		{"a space behind it", "user_" + ksuid + " ", ""},
		{"another alphabet", "user_-" + ksuid[1:], ""},
		{"letters beyond ASCII", "user_" + strings.Repeat("é", 13) + "0", ""},
		{"an identifier of the server", payload, ""},
		{"one of Stytch", "user-test-" + payload, ""},
	} {
		id, ok := wireid.FromStreambird[storage.UserID](wireid.StreambirdUser, tc.text)
		if string(id) != tc.want || ok != (tc.want != "") {
			t.Errorf("%s: %q, %v, want %q", tc.name, id, ok, tc.want)
		}
	}
}

func TestOnlyStytchIdentifiersAreRead(t *testing.T) {
	if got := wireid.Stytch(wireid.StytchPhone, "live", storage.IdentifierID(payload)); got != "phone-number-live-"+payload {
		t.Errorf("Stytch = %q", got)
	}
	if got := wireid.Stytch(wireid.StytchUser, "test", "alice"); got != "" {
		t.Errorf("Stytch of no identifier = %q, want nothing", got)
	}
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"a user", "user-test-" + payload, true},
		{"of the other environment", "user-live-" + payload, false},
		{"another kind", "email-test-" + payload, false},
		{"in capitals", "user-test-" + strings.ToUpper(payload), false},
		{"without hyphens", "user-test-" + strings.ReplaceAll(payload, "-", ""), false},
		{"no prefix", payload, false},
		{"twice the prefix", "user-test-user-test-" + payload, false},
		{"something behind it", "user-test-" + payload + "0", false},
		{"not hexadecimal", "user-test-g" + payload[1:], false},
		{"nothing", "", false},
	} {
		id, ok := wireid.FromStytch[storage.UserID](wireid.StytchUser, "test", tc.text)
		if ok != tc.ok || ok && id != payload || !ok && id != "" {
			t.Errorf("%s: %q, %v, want %v", tc.name, id, ok, tc.ok)
		}
	}
}

func TestKeysAndRequestsHaveIdentifiers(t *testing.T) {
	now := time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC)
	key := storage.KeyID(storage.TimeOrdered(now, rand.Reader))
	raw, _ := storage.Bytes(key)
	if got, want := wireid.StreambirdKey(key), wireid.Streambird(wireid.Prefix("jwk"), key, now); got != want || len(got) != len("jwk_")+27 {
		t.Errorf("StreambirdKey = %q, want %q, with the time of the key", got, want)
	}
	if got := wireid.StytchKey("live")(key); got != "jwk-live-"+string(key) {
		t.Errorf("StytchKey = %q", got)
	}
	if got := wireid.StreambirdKey("no key"); got != "" {
		t.Errorf("StreambirdKey of no key = %q, want nothing", got)
	}
	if got, want := wireid.StytchRequest("test", bytes.NewReader(raw[:])), "request-id-test-"+string(key); got != want {
		t.Errorf("StytchRequest = %q, want %q", got, want)
	}
	if got := wireid.StytchRequest("test", rand.Reader); !regexp.MustCompile(`^request-id-test-[0-9a-f-]{36}$`).MatchString(got) {
		t.Errorf("StytchRequest = %q", got)
	}
}

// FuzzRoundTrip: what is written can be read, and of what is read the identifier is written again.
func FuzzRoundTrip(f *testing.F) {
	f.Add("user_"+ksuid, []byte("0123456789abcdef"), int64(1500000000))
	f.Add("user_"+most, []byte{}, int64(-1))
	f.Add("user-test-"+payload, bytes.Repeat([]byte{0xff}, 16), int64(1)<<40)
	f.Fuzz(func(t *testing.T, text string, id []byte, at int64) {
		var raw [16]byte
		copy(raw[:], id)
		want := storage.FromBytes[storage.UserID](raw)
		written := wireid.Streambird(wireid.StreambirdUser, want, time.Unix(at, 0))
		if got, ok := wireid.FromStreambird[storage.UserID](wireid.StreambirdUser, written); !ok || got != want {
			t.Errorf("%s was read from %s as %q, %v", want, written, got, ok)
		}
		written = wireid.Stytch(wireid.StytchUser, "test", want)
		if got, ok := wireid.FromStytch[storage.UserID](wireid.StytchUser, "test", written); !ok || got != want {
			t.Errorf("%s was read from %s as %q, %v", want, written, got, ok)
		}
		// The time before the identifier is not known, so only its digits are compared.
		if got, ok := wireid.FromStreambird[storage.UserID](wireid.StreambirdUser, text); ok {
			again := wireid.Streambird(wireid.StreambirdUser, got, time.Unix(at, 0))
			if other, ok := wireid.FromStreambird[storage.UserID](wireid.StreambirdUser, again); !ok || other != got || len(again) != len(text) {
				t.Errorf("%q was read as %s, which is written %q", text, got, again)
			}
		}
		if got, ok := wireid.FromStytch[storage.UserID](wireid.StytchUser, "test", text); ok && wireid.Stytch(wireid.StytchUser, "test", got) != text {
			t.Errorf("%q was read as %s", text, got)
		}
	})
}
