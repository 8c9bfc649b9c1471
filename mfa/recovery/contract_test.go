package recovery_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/recovery"
	"sallyport/storage"
)

func TestRecoveryKeepsTheContract(t *testing.T) {
	methodtest.Run(t, func(*testing.T) methodtest.Fixture {
		codes := methodtest.Codes{"owner": {"aaaa1111bbbb", "aaaa2222bbbb"}, "other": {"cccc1111dddd"}}
		printed := map[storage.UserID]string{"owner": "AAAA-2222-BBBB", "other": "cccc1111dddd"}
		return methodtest.Fixture{Method: recovery.New(codes, rand.Reader), Now: methodtest.Now,
			Owner: methodtest.Account("owner", storage.Authenticator{Method: "recovery"}), Other: methodtest.Account("other", storage.Authenticator{Method: "recovery"}),
			Answer: func(_ *testing.T, who *storage.Account, _ mfa.Challenge, _ time.Time) mfa.Response {
				return mfa.Typed(printed[who.User.ID])
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("zzzz-zzzz-zzzz") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Typed("zzzz-zzz"), mfa.Response("12")},
			Spend: func(p mfa.Proof) error {
				i := slices.Index(codes[p.User], p.Spend.Code)
				if i < 0 {
					return storage.ErrConflict
				}
				codes[p.User] = slices.Delete(codes[p.User], i, i+1)
				return nil
			}}
	})
}
