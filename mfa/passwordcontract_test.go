package mfa_test

import (
	"context"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
)

func TestPasswordKeepsTheContract(t *testing.T) {
	h := newHouse(t)
	mfatest.Run(t, func(t *testing.T) mfatest.Fixture {
		made := func(plain string) storage.Authenticator {
			text, err := h.password.Hash(context.Background(), plain)
			if err != nil {
				t.Fatal(err)
			}
			return storage.Authenticator{Method: "password", Secret: []byte(text)}
		}
		words := map[storage.UserID]string{"owner": ownPass, "other": "another harbour at dusk"}
		return mfatest.Fixture{Method: h.password, Owner: account("owner", made(words["owner"])), Other: account("other", made(words["other"])),
			Usage: mfa.UsageFirst, Now: contractAt, Lasting: true,
			Answer: func(_ *testing.T, who *storage.Account, _ mfa.Challenge, _ time.Time) mfa.Response {
				return mfa.Typed(words[who.User.ID])
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("neither of the two") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Response("null"), mfa.Response("{}")}}
	})
}
