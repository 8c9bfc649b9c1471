package mfa_test

import (
	"crypto/rand"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
)

func TestTOTPKeepsTheContract(t *testing.T) {
	mfatest.Run(t, func(*testing.T) mfatest.Fixture {
		m := mfa.NewTOTP(rand.Reader, "Sallyport", mfa.TOTPOptions{})
		owner := account("owner", storage.Authenticator{Method: "totp", Secret: []byte("12345678901234567890")})
		other := account("other", storage.Authenticator{Method: "totp", Secret: []byte("09876543210987654321")})
		return mfatest.Fixture{Method: m, Owner: owner, Other: other, Now: contractAt, Late: time.Minute,
			Answer: func(_ *testing.T, who *storage.Account, _ mfa.Challenge, at time.Time) mfa.Response {
				return mfa.Typed(m.CodeAt(who.Authenticators[0].Secret, at))
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("000000") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Typed("12345"), mfa.Typed("12 34 56"), mfa.Response("123456")},
			Spend:     counted(owner)}
	})
}
