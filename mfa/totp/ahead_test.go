package totp

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestARightCodeIsReportedWhileTheCounterIsAhead(t *testing.T) {
	var told []time.Time
	m := New(rand.Reader, "p", Options{Ahead: func(id storage.AuthenticatorID, until time.Time) {
		if id == "a" {
			told = append(told, until)
		}
	}})
	step := noon.Unix() / 30
	for _, tc := range []struct {
		name    string
		counter int64 // last accepted step, from now
		wrong   bool
		want    int64 // the first step that is accepted, from now; 0: not ahead
	}{
		{"an earlier code was accepted", -5, false, 0}, {"this one was", 0, false, 0}, {"that of a phone a step ahead was", 1, false, 0},
		{"one of two steps ahead was", 2, false, 3}, {"one of next year was", 1 << 20, false, 1<<20 + 1},
		{"a wrong code", 1 << 20, true, 0},
	} {
		told = nil
		a := totpUser(step+tc.counter, "")
		code := m.CodeOf(a.Authenticators[0], noon)
		if tc.wrong {
			code = m.CodeOf(a.Authenticators[0], noon.Add(time.Hour))
		}
		_, err := m.Finish(context.Background(), mfa.Attempt{Account: a, Usage: mfa.UsageSecond, Now: noon}, nil, mfa.Typed(code))
		until := time.Time{}
		if tc.want > 0 {
			until = time.Unix((step+tc.want)*30, 0).UTC()
			if mfa.CodeOf(err) != mfa.InvalidPasscode {
				t.Errorf("%s: %v, want %s as for a wrong code", tc.name, err, mfa.InvalidPasscode)
			}
			// That is when codes are accepted again, and not earlier.
			for _, at := range []time.Time{until.Add(-31 * time.Second), until} {
				_, err := m.Finish(context.Background(), mfa.Attempt{Account: a, Usage: mfa.UsageSecond, Now: at}, nil, mfa.Typed(m.CodeOf(a.Authenticators[0], at)))
				if (err == nil) != at.Equal(until) {
					t.Errorf("%s: at %s of %s: %v", tc.name, at, until, err)
				}
			}
		}
		if got := AheadUntil(a.Authenticators[0], noon); !tc.wrong && !got.Equal(until) {
			t.Errorf("%s: ahead until %s, want %s", tc.name, got, until)
		}
		if (len(told) > 0) != (tc.want > 0) || len(told) > 0 && !told[0].Equal(until) {
			t.Errorf("%s: reported %v, want %s", tc.name, told, until)
		}
	}
}
