package passkey

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// A challenge is the time it was made, a nonce, and a keyed hash of both, of the login it is for
// and of the usage.
const (
	timeBytes  = 8
	nonceBytes = 16
	headBytes  = timeBytes + nonceBytes
	tagBytes   = 32
)

// tagPurpose separates the hashes of challenges from others.
const tagPurpose = "passkey challenge"

func tagged(head []byte, a mfa.Attempt) string {
	return hex.EncodeToString(head) + "/" + a.Usage + "/" + a.Login
}

// newChallenge returns a challenge for an attempt.
func (m *Method) newChallenge(a mfa.Attempt) ([]byte, error) {
	head := binary.BigEndian.AppendUint64(make([]byte, 0, headBytes+tagBytes), uint64(a.Now.UnixMicro())) //nolint:gosec // after 1970
	nonce := make([]byte, nonceBytes)
	if _, err := io.ReadFull(m.random, nonce); err != nil {
		return nil, fmt.Errorf("make challenge: %w", err)
	}
	head = append(head, nonce...)
	return append(head, m.keyring.MAC("hash", tagPurpose, tagged(head, a))...), nil
}

// madeAt returns when a challenge was made for the login and the usage of an attempt; false: it
// was not.
func (m *Method) madeAt(challenge string, a mfa.Attempt) (time.Time, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(b) != headBytes+tagBytes {
		return time.Time{}, false
	}
	head, tag := b[:headBytes], string(b[headBytes:])
	if !slices.ContainsFunc(m.keyring.MACs("hash", tagPurpose, tagged(head, a)), func(own []byte) bool { return seal.Equal(string(own), tag) }) {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(head))), true //nolint:gosec // written by newChallenge
}

// Begin returns request options. They list the passkeys that may answer: the user's, or for a
// typed name without any, invented ones. Without a user or a name, they list none: any passkey of
// the site may answer.
func (m *Method) Begin(_ context.Context, a mfa.Attempt) (mfa.Begun, error) {
	challenge, err := m.newChallenge(a)
	if err != nil {
		return mfa.Begun{}, err
	}
	hardware := a.Hardware && a.Account != nil && slices.ContainsFunc(a.Account.Authenticators, m.inHardware)
	options := protocol.PublicKeyCredentialRequestOptions{Challenge: challenge, Timeout: int(m.o.TTL.Milliseconds()), RelyingPartyID: m.o.RPID,
		UserVerification: protocol.VerificationPreferred, AllowedCredentials: m.descriptors(a.Account, func(x storage.Authenticator) bool {
			return x.State == storage.AuthenticatorActive && (a.Authenticator == nil || a.Authenticator.ID == x.ID) && a.Account.User.Status != storage.UserDisabled &&
				(!hardware || m.inHardware(x))
		})}
	if len(options.AllowedCredentials) == 0 && a.Name != nil {
		options.AllowedCredentials = m.decoys(a.Name)
	}
	text, err := json.Marshal(options)
	if err != nil {
		return mfa.Begun{}, fmt.Errorf("write request options: %w", err)
	}
	return mfa.Begun{Challenge: text, State: mfa.State(options.Challenge.String()), TTL: m.o.TTL}, nil
}

// descriptors names passkeys of an account, which may be nil, that belong to this site.
func (m *Method) descriptors(a *storage.Account, wanted func(storage.Authenticator) bool) []protocol.CredentialDescriptor {
	if a == nil {
		return nil
	}
	var out []protocol.CredentialDescriptor
	for _, x := range a.Authenticators {
		if x.Method != Name || !wanted(x) {
			continue
		}
		if r, ok := recordOf(x); ok && r.RPID == m.o.RPID {
			out = append(out, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: r.Credential.ID, Transport: r.Credential.Transport})
		}
	}
	return out
}
