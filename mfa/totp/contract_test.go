package totp_test

import (
	"crypto/rand"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

func TestTOTPKeepsTheContract(t *testing.T) {
	methodtest.Run(t, func(*testing.T) methodtest.Fixture {
		m := totp.New(rand.Reader, "Sallyport", totp.Options{})
		owner := methodtest.Account("owner", storage.Authenticator{Method: "totp", Secret: []byte("12345678901234567890")})
		other := methodtest.Account("other", storage.Authenticator{Method: "totp", Secret: []byte("09876543210987654321")})
		return methodtest.Fixture{Method: m, Owner: owner, Other: other, Now: methodtest.Now, Late: time.Minute,
			Answer: func(_ *testing.T, who *storage.Account, _ mfa.Challenge, at time.Time) mfa.Response {
				return mfa.Typed(m.CodeAt(who.Authenticators[0].Secret, at))
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("000000") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Typed("12345"), mfa.Typed("12 34 5"), mfa.Typed("12.34.56"), mfa.Typed("12345a"), mfa.Typed("12345\xff"), mfa.Response("123456")},
			Spend:     methodtest.SpendStep(owner)}
	})
}
