package wireid

import (
	"encoding/binary"
	"strings"
	"time"

	"sallyport/storage"
)

// Prefix says what an identifier of Streambird names.
type Prefix string

// The prefixes of Streambird.
const (
	StreambirdUser    Prefix = "user"
	StreambirdEmail   Prefix = "email"
	StreambirdPhone   Prefix = "pn"
	StreambirdTOTP    Prefix = "totp"
	StreambirdSession Prefix = "sess"
	streambirdKey     Prefix = "jwk"
)

const (
	digits    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	epoch     = 1400000000 // second 0 of a KSUID
	ksuidSize = 20         // bytes: 4 of the time, 16 of the identifier
	ksuidText = 27         // characters
)

// Streambird returns an identifier of Streambird: the prefix and a KSUID, which is the second
// of creation and the bytes of the identifier, in base62. It is "" for an identifier that does
// not have the layout 8-4-4-4-12.
func Streambird[T ~string](prefix Prefix, id T, created time.Time) string {
	raw, ok := storage.Bytes(id)
	if !ok {
		return ""
	}
	var b [ksuidSize]byte
	binary.BigEndian.PutUint32(b[:4], seconds(created))
	copy(b[4:], raw[:])
	return string(prefix) + "_" + base62(b)
}

// StreambirdKey returns the kid of a key. The time is that of the identifier, which is
// time-ordered (RFC 9562 section 5.7).
func StreambirdKey(id storage.KeyID) string {
	raw, _ := storage.Bytes(id)
	ms := binary.BigEndian.Uint64(append([]byte{0, 0}, raw[:6]...))
	return Streambird(streambirdKey, id, time.UnixMilli(int64(ms))) // 48 bits always fit
}

// FromStreambird returns the identifier in one of Streambird; false for anything that
// Streambird does not return with this prefix. It does not check the time of creation, which only
// orders identifiers.
func FromStreambird[T ~string](prefix Prefix, text string) (T, bool) {
	text, ok := strings.CutPrefix(text, string(prefix)+"_")
	if !ok {
		return "", false
	}
	b, ok := fromBase62(text)
	if !ok {
		return "", false
	}
	return storage.FromBytes[T]([16]byte(b[4:])), true
}

// seconds returns the seconds since the epoch of KSUIDs, within the bounds of their 32 bits.
func seconds(t time.Time) uint32 {
	return uint32(min(max(t.Unix()-epoch, 0), 1<<32-1))
}

// base62 writes a number of 160 bits with 27 digits, which is enough for every one.
func base62(b [ksuidSize]byte) string {
	out := make([]byte, ksuidText)
	for i := ksuidText - 1; i >= 0; i-- {
		rest := 0
		for j := range b {
			rest = rest<<8 | int(b[j])
			b[j], rest = byte(rest/len(digits)), rest%len(digits)
		}
		out[i] = digits[rest]
	}
	return string(out)
}

// fromBase62 reads 27 digits; false if there are others or the number has more than 160 bits.
func fromBase62(text string) ([ksuidSize]byte, bool) {
	var b [ksuidSize]byte
	if len(text) != ksuidText {
		return b, false
	}
	for i := range len(text) {
		carry := strings.IndexByte(digits, text[i])
		if carry < 0 {
			return b, false
		}
		for j := len(b) - 1; j >= 0; j-- {
			carry += int(b[j]) * len(digits)
			b[j], carry = byte(carry), carry>>8
		}
		if carry != 0 {
			return b, false
		}
	}
	return b, true
}
