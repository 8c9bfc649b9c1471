package passcode_test

import (
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/passcode"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

func TestCodesByMail(t *testing.T) {
	keyring, _ := storagetest.Keyring(t, methodtest.Now)
	methodtest.Run(t, func(*testing.T) methodtest.Fixture {
		return methodtest.Fixture{Method: passcode.NewEmail(keyring, rand.Reader, passcode.Options{Product: "Sallyport"}), Now: methodtest.Now, Late: 10 * time.Minute,
			Owner:  methodtest.Account("owner", authenticator("email", "ada@example.com")),
			Other:  methodtest.Account("other", authenticator("email", "bob@example.com")),
			Answer: answer, Wrong: func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("000000") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Typed("12345"), mfa.Typed("1234567"), mfa.Typed("12345x"), mfa.Typed("１２３４５"), mfa.Typed("123.456"), mfa.Response("123456"), mfa.Response("{}")}}
	})
}

func TestCodesByTextMessage(t *testing.T) {
	keyring, _ := storagetest.Keyring(t, methodtest.Now)
	methodtest.Run(t, func(*testing.T) methodtest.Fixture {
		return methodtest.Fixture{Method: passcode.NewSMS(keyring, rand.Reader, passcode.Options{Product: "Sallyport", TTL: 2 * time.Minute}), Now: methodtest.Now, Late: 2 * time.Minute,
			Owner:  methodtest.Account("owner", authenticator("sms", "+14152222222")),
			Other:  methodtest.Account("other", authenticator("sms", "+14152222223")),
			Answer: answer, Wrong: func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("000000") },
			Malformed: []mfa.Response{nil, mfa.Typed("12 345")}}
	})
}

func authenticator(method, address string) storage.Authenticator {
	data, _ := json.Marshal(map[string]string{"address": address})
	return storage.Authenticator{Method: method, Data: data}
}

// answer is what a user types who gets the message, or another one who guesses.
func answer(t *testing.T, who *storage.Account, c mfa.Challenge, _ time.Time) mfa.Response {
	var m storage.Message
	if c != nil {
		if err := json.Unmarshal(c, &m); err != nil {
			t.Fatal(err)
		}
	}
	var own struct{ Address string }
	if err := json.Unmarshal(who.Authenticators[0].Data, &own); err != nil {
		t.Fatal(err)
	}
	if own.Address != m.Recipient {
		return mfa.Typed("999999")
	}
	return mfa.Typed(m.Data["code"])
}
