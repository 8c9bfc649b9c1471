package passkey

import (
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"

	"sallyport/storage/seal"
)

// markBytes is the length of the end of a decoy's ID: a keyed hash of what is before it.
const markBytes = 8

// decoys returns the credentials of a name without passkeys: always the same, and such as
// devices make.
func (m *Method) decoys(name []byte) []protocol.CredentialDescriptor {
	synced := []protocol.AuthenticatorTransport{protocol.Hybrid, protocol.Internal}
	shapes := []struct {
		bytes      int
		transports []protocol.AuthenticatorTransport
	}{
		{16, synced}, {20, synced}, {32, synced}, {32, []protocol.AuthenticatorTransport{protocol.Internal}},
		{48, []protocol.AuthenticatorTransport{protocol.NFC, protocol.USB}}, {64, []protocol.AuthenticatorTransport{protocol.USB}},
	}
	coins := m.keyring.MAC("subject", "passkey decoys", string(name))
	count := 1
	switch {
	case coins[0] >= 240:
		count = 3 // one of sixteen
	case coins[0] >= 176:
		count = 2 // one of four
	}
	var out []protocol.CredentialDescriptor
	for i := range count {
		shape := shapes[int(coins[i+1])%len(shapes)]
		var id []byte
		for part := range 2 {
			id = append(id, m.keyring.MAC("subject", "passkey decoy", fmt.Sprintf("%s/%d/%d", name, i, part))...)
		}
		id = id[:shape.bytes-markBytes]
		id = append(id, m.keyring.MAC("subject", "passkey decoy mark", string(id))[:markBytes]...)
		out = append(out, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: id, Transport: shape.transports})
	}
	return out
}

// isDecoy reports whether a credential ID is a decoy's. Others are with a probability of 2^-64.
func (m *Method) isDecoy(id []byte) bool {
	if len(id) < 2*markBytes {
		return false
	}
	head, mark := string(id[:len(id)-markBytes]), string(id[len(id)-markBytes:])
	return slices.ContainsFunc(m.keyring.MACs("subject", "passkey decoy mark", head), func(own []byte) bool {
		return seal.Equal(string(own[:markBytes]), mark)
	})
}
