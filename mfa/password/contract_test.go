package password_test

import (
	"context"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
)

func TestPasswordKeepsTheContract(t *testing.T) {
	h := mfatest.New(t)
	methodtest.Run(t, func(t *testing.T) methodtest.Fixture {
		made := func(plain string) storage.Authenticator {
			text, err := h.Password.Hash(context.Background(), mfa.Place{}, plain)
			if err != nil {
				t.Fatal(err)
			}
			return storage.Authenticator{Method: "password", Secret: []byte(text)}
		}
		words := map[storage.UserID]string{"owner": mfatest.Password, "other": "another harbour at dusk"}
		return methodtest.Fixture{Method: h.Password, Owner: methodtest.Account("owner", made(words["owner"])), Other: methodtest.Account("other", made(words["other"])),
			Usage: mfa.UsageFirst, Now: methodtest.Now, Reusable: true,
			Answer: func(_ *testing.T, who *storage.Account, _ mfa.Challenge, _ time.Time) mfa.Response {
				return mfa.Typed(words[who.User.ID])
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("neither of the two") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Response("null"), mfa.Response("{}")}}
	})
}
