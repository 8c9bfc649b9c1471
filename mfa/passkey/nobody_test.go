package passkey

import (
	"crypto/rand"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// Were it no key, unknown credentials would be refused before a signature is verified, and sooner
// than known ones.
func TestTheKeyOfNobodyIsAKey(t *testing.T) {
	m, err := New(nil, nil, rand.Reader, Options{Product: "Sallyport", RPID: "login.example.com", Origins: []string{"https://login.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := webauthncose.ParsePublicKey(m.nobody)
	if ec, ok := key.(webauthncose.EC2PublicKeyData); err != nil || !ok || ec.Algorithm != int64(webauthncose.AlgES256) {
		t.Fatalf("%T, %v; want a key for ES256", key, err)
	}
	if _, c, ok := m.find(nil, nil, []byte("id")); ok || string(c.Credential.PublicKey) != string(m.nobody) {
		t.Error("an unknown credential has another key")
	}
}
