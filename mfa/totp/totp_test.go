package totp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// RFC 6238 appendix B, with erratum 2866: the seed is as long as the hash.
func TestTOTPVectors(t *testing.T) {
	seeds := map[string]string{"SHA1": strings.Repeat("1234567890", 2), "SHA256": strings.Repeat("1234567890", 4)[:32], "SHA512": strings.Repeat("1234567890", 7)[:64]}
	for _, tc := range []struct {
		at                   int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"}, {1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"}, {1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"}, {20000000000, "65353130", "77737706", "47863826"},
	} {
		for alg, want := range map[string]string{"SHA1": tc.sha1, "SHA256": tc.sha256, "SHA512": tc.sha512} {
			long := New(rand.Reader, "p", Options{Digits: 8, Algorithm: alg})
			if got := long.CodeAt([]byte(seeds[alg]), time.Unix(tc.at, 0)); got != want {
				t.Errorf("%s at %d = %s, want %s", alg, tc.at, got, want)
			}
			short := New(rand.Reader, "p", Options{Algorithm: alg})
			if got := short.CodeAt([]byte(seeds[alg]), time.Unix(tc.at, 0)); got != want[2:] {
				t.Errorf("%s, 6 digits, at %d = %s, want %s", alg, tc.at, got, want[2:])
			}
		}
	}
}

func totpUser(counter int64, data string) *storage.Account {
	return &storage.Account{User: storage.User{ID: "u", Status: storage.UserActive}, Authenticators: []storage.Authenticator{{ID: "a", UserID: "u",
		Method: "totp", State: storage.AuthenticatorActive, Secret: []byte("12345678901234567890"), Counter: counter, Data: json.RawMessage(data)}}}
}

func TestTOTPWindowAndReplay(t *testing.T) {
	wide, strict := New(rand.Reader, "p", Options{}), New(rand.Reader, "p", Options{Strict: true})
	step := noon.Unix() / 30
	for _, tc := range []struct {
		name    string
		totp    *Method
		offset  int64 // steps between the code and now
		counter int64 // last accepted step, from now
		want    mfa.Code
	}{
		{"now", wide, 0, -100, ""}, {"one step back", wide, -1, -100, ""}, {"one step ahead", wide, 1, -100, ""},
		{"two steps back", wide, -2, -100, mfa.InvalidPasscode}, {"two steps ahead", wide, 2, -100, mfa.InvalidPasscode},
		{"strict, now", strict, 0, -100, ""}, {"strict, one step back", strict, -1, -100, mfa.InvalidPasscode}, {"strict, one step ahead", strict, 1, -100, mfa.InvalidPasscode},
		{"the step accepted last", wide, 0, 0, mfa.Replayed}, {"one before the step accepted last", wide, -1, 0, mfa.InvalidPasscode},
		{"one after the step accepted last", wide, 1, 0, ""}, {"after a step ahead", wide, 0, 1, mfa.InvalidPasscode}, {"that step ahead again", wide, 1, 1, mfa.Replayed},
	} {
		a := totpUser(step+tc.counter, "")
		code := tc.totp.CodeOf(a.Authenticators[0], noon.Add(time.Duration(tc.offset)*30*time.Second))
		p, err := tc.totp.Finish(context.Background(), mfa.Attempt{Account: a, Usage: mfa.UsageSecond, Now: noon}, nil, mfa.Typed(code))
		if mfa.CodeOf(err) != tc.want || err == nil && (p.Spend.Step != step+tc.offset || p.User != "u" || p.Authenticator != "a") {
			t.Errorf("%s: %+v, %v; want %q", tc.name, p, err, tc.want)
		}
	}
}

func TestTOTPOfOtherParameters(t *testing.T) {
	m := New(rand.Reader, "p", Options{})
	a := totpUser(0, `{"algorithm":"SHA256","digits":8,"period":30}`)
	code := m.CodeOf(a.Authenticators[0], noon)
	if len(code) != 8 {
		t.Fatalf("code = %q, want 8 digits", code)
	}
	attempt := mfa.Attempt{Account: a, Usage: mfa.UsageSecond, Now: noon}
	if _, err := m.Finish(context.Background(), attempt, nil, mfa.Typed(code)); err != nil {
		t.Errorf("8 digits: %v", err)
	}
	if err := m.Parse(attempt, mfa.Typed(code[2:])); mfa.CodeOf(err) != mfa.InvalidRequest {
		t.Errorf("6 digits where 8 are due: %v, want %s", err, mfa.InvalidRequest)
	}
	a.Authenticators[0].Secret = nil
	if _, err := m.Finish(context.Background(), attempt, nil, mfa.Typed(m.CodeOf(a.Authenticators[0], noon))); mfa.CodeOf(err) != mfa.InvalidPasscode {
		t.Errorf("the code of an empty secret: %v, want %s", err, mfa.InvalidPasscode)
	}
}

// The code length that a passwordless login accepts must not reveal accounts or authenticators.
func TestCodeLengthsRevealNothingBeforeTheFirstFactor(t *testing.T) {
	m := New(rand.Reader, "p", Options{})
	for name, who := range map[string]*storage.Account{"no user": nil, "six digits": totpUser(0, ""), "eight digits": totpUser(0, `{"digits":8}`)} {
		for code, want := range map[string]mfa.Code{"000000": mfa.InvalidPasscode, "00000000": mfa.InvalidPasscode, "0000000": mfa.InvalidRequest, "00000": mfa.InvalidRequest} {
			for _, usage := range []string{mfa.UsagePasswordless, mfa.UsageInitial} {
				a := mfa.Attempt{Account: who, Usage: usage, Now: noon}
				_, err := m.Finish(context.Background(), a, nil, mfa.Typed(code))
				if parsed := m.Parse(a, mfa.Typed(code)); mfa.CodeOf(err) != want || (parsed != nil) != (want == mfa.InvalidRequest) {
					t.Errorf("%s, %s, %q: %v, then %v; want %s", name, usage, code, parsed, err, want)
				}
			}
		}
	}
}

func TestTOTPMatchesAnyOfAUsersAuthenticators(t *testing.T) {
	m := New(rand.Reader, "p", Options{})
	a := totpUser(0, "")
	second := a.Authenticators[0]
	second.ID, second.Secret = "b", []byte("another secret of twenty")
	a.Authenticators = append(a.Authenticators, second)
	p, err := m.Finish(context.Background(), mfa.Attempt{Account: a, Usage: mfa.UsageSecond, Now: noon}, nil, mfa.Typed(m.CodeOf(second, noon)))
	if err != nil || p.Authenticator != "b" {
		t.Errorf("matched %q, %v; want b", p.Authenticator, err)
	}
	_, err = m.Finish(context.Background(), mfa.Attempt{Account: a, Authenticator: &a.Authenticators[0], Usage: mfa.UsageSecond, Now: noon}, nil, mfa.Typed(m.CodeOf(second, noon)))
	if mfa.CodeOf(err) != mfa.InvalidPasscode {
		t.Errorf("the other one's code: %v, want %s", err, mfa.InvalidPasscode)
	}
}
