package storage

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"time"
)

// Identifiers are distinct types, so that the compiler refuses a status in place of an
// exchange. All but ClientID have the layout 8-4-4-4-12 of lower-case hex digits.
type (
	// RequestID identifies an AuthRequest. 128 random bits; stored as keyed hash.
	RequestID string
	// TrackID names a login with a proven first factor to its owner. 128 random bits; stored as keyed hash.
	TrackID string
	// StatusID identifies a Status. 128 random bits; stored as keyed hash.
	StatusID string
	// ExchangeID allows the next step of a Status, once. 128 random bits; stored as keyed hash.
	ExchangeID string

	// UserID is the subject (OpenID Connect Core section 2, sub).
	UserID string
	// IdentifierID identifies an e-mail address, phone number or user name of a user.
	IdentifierID string
	// AuthenticatorID identifies an Authenticator (NIST SP 800-63B section 3). 128 random bits.
	AuthenticatorID string
	// SessionID is the sid of a signed-in user. Time-ordered.
	SessionID string
	// RememberedID identifies a RememberedDevice; it is not a secret. 128 random bits.
	RememberedID string
	// PolledID identifies a PolledRequest; it opens nothing. 128 random bits.
	PolledID string
	// GrantID identifies a Grant. Time-ordered.
	GrantID string
	// KeyID is the kid of a key. Time-ordered.
	KeyID string
	// EventID identifies an audit line. Time-ordered.
	EventID string
	// MessageID identifies an outbox message and is its idempotency key at the receiver. Time-ordered.
	MessageID string
	// TicketID identifies a Ticket; it opens nothing. Time-ordered.
	TicketID string
	// InvitationID identifies an Invitation; it opens nothing. Time-ordered.
	InvitationID string
	// APIKeyID identifies an API key; it is not a secret. Time-ordered.
	APIKeyID string
	// ClientID is the client_id of RFC 6749 section 2.2: printable ASCII, at most 255 bytes.
	ClientID string
)

// Random128 returns 128 random bits in the layout 8-4-4-4-12. It has no version
// bits: all 128 are random (ASVS 11.5.1).
func Random128(random io.Reader) string {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		panic("storage: no randomness: " + err.Error())
	}
	return layout(b)
}

// TimeOrdered returns a version 7 UUID (RFC 9562 section 5.7): rows created in sequence
// share index pages.
func TimeOrdered(now time.Time, random io.Reader) string {
	var b [16]byte
	if _, err := io.ReadFull(random, b[6:]); err != nil {
		panic("storage: no randomness: " + err.Error())
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return layout(b)
}

// Bytes returns the 16 bytes of an identifier in the layout 8-4-4-4-12, or false if it
// is not in canonical, lower-case form.
func Bytes[T ~string](id T) ([16]byte, bool) {
	var b [16]byte
	s := string(id)
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, false
	}
	var raw [32]byte
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			continue
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return b, false
		}
		raw[n] = s[i]
		n++
	}
	if _, err := hex.Decode(b[:], raw[:]); err != nil {
		return b, false
	}
	return b, true
}

// FromBytes returns 16 bytes in the layout 8-4-4-4-12.
func FromBytes[T ~string](b [16]byte) T { return T(layout(b)) }

func layout(b [16]byte) string {
	var out [36]byte
	rest := out[:0]
	for i, part := range [...][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			rest = append(rest, '-')
		}
		rest = hex.AppendEncode(rest, part)
	}
	return string(rest)
}
