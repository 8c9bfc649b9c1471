package seal

import (
	"crypto/hmac"
	"encoding/binary"
	"math/bits"
)

// A token is 64 base62 characters derived from a record's ID and generation, so that it is
// not stored and concurrent callers can get the same one:
//
//	tag   = first 27 bytes of HMAC(mac key, use | id | generation)
//	body  = (id | generation) XOR first 20 bytes of HMAC(mask key, tag)
//	value = tag | body, 376 bits
//
// 64 base62 characters hold a little over 381 bits. The rest is filled from the same hash,
// so that tokens have no constant prefix.
const (
	tokenLength = 64
	tagLength   = 27
	bodyLength  = 20
	fillers     = 33 // floor(62^64 / 2^376)
	alphabet    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// keyOf returns the use of the key that makes tokens of a use. Authorization codes ("code")
// are made, and rotate, with the key of refresh tokens, and those of remembered devices with the
// key of device cookies, which last as long; the tag keeps them apart.
func keyOf(use string) string {
	switch use {
	case "code":
		return "token"
	case "remembered":
		return "subject"
	}
	return use
}

// Token derives the token of a record in a generation. It is "" while the keyring
// has no such key.
func (k *Keyring) Token(use string, id [16]byte, generation uint32) string {
	key := k.state.Load().current(keyOf(use))
	if key == nil || key.mask == nil {
		return ""
	}
	var body [bodyLength]byte
	copy(body[:], id[:])
	binary.BigEndian.PutUint32(body[16:], generation)
	tag := key.tag(use, body)
	filler := key.hide(tag, &body)
	return encode(append(tag, body[:]...), filler)
}

// OpenToken returns the ID and generation of a token of this use, if a valid key made it.
func (k *Keyring) OpenToken(use, token string) (id [16]byte, generation uint32, ok bool) {
	value, filler, ok := decode(token)
	if !ok {
		return id, 0, false
	}
	for _, key := range k.state.Load().byUse[keyOf(use)] {
		if key.mask == nil {
			continue
		}
		tag, body := value[:tagLength], [bodyLength]byte(value[tagLength:])
		want := key.hide(tag, &body)
		// Compare the filler too: a record and generation have exactly one token.
		if hmac.Equal(append(key.tag(use, body), want), append(tag[:tagLength:tagLength], filler)) {
			return [16]byte(body[:16]), binary.BigEndian.Uint32(body[16:]), true
		}
	}
	return id, 0, false
}

func (o *opened) tag(use string, body [bodyLength]byte) []byte {
	return o.mac.sum(additional("token", use, string(body[:])))[:tagLength:tagLength]
}

// hide masks or unmasks the body and returns the filler of the token.
func (o *opened) hide(tag []byte, body *[bodyLength]byte) byte {
	stream := o.mask.sum(tag)
	for i := range body {
		body[i] ^= stream[i]
	}
	return byte(binary.BigEndian.Uint64(stream[bodyLength:bodyLength+8]) % fillers)
}

// The digits of a token are converted ten at a time, as many as a word holds.
const (
	groupDigits = 10
	groupBase   = 62 * 62 * 62 * 62 * 62 * 62 * 62 * 62 * 62 * 62
	words       = 6 // of filler and value
)

func encode(value []byte, filler byte) string {
	var raw [8 * words]byte
	raw[0] = filler
	copy(raw[1:], value)
	var n [words]uint64
	for i := range n {
		n[i] = binary.BigEndian.Uint64(raw[8*i:])
	}
	var out [tokenLength]byte
	for end := tokenLength; end > 0; end -= groupDigits {
		var rest uint64
		for i := range n {
			n[i], rest = bits.Div64(rest, n[i], groupBase)
		}
		for i := end - 1; i >= max(0, end-groupDigits); i-- {
			out[i], rest = alphabet[rest%62], rest/62
		}
	}
	return string(out[:])
}

func decode(token string) (value []byte, filler byte, ok bool) {
	if len(token) != tokenLength {
		return nil, 0, false
	}
	var n [words]uint64 // 62^64 is less than 2^384
	for start := 0; start < tokenLength; start += groupDigits {
		base, group := uint64(1), uint64(0)
		for _, c := range []byte(token[start:min(start+groupDigits, tokenLength)]) {
			d := digitOf(c)
			if d < 0 {
				return nil, 0, false
			}
			base, group = base*62, group*62+uint64(d)
		}
		for i := words - 1; i >= 0; i-- {
			high, low := bits.Mul64(n[i], base)
			sum, carry := bits.Add64(low, group, 0)
			n[i], group = sum, high+carry
		}
	}
	raw := make([]byte, 8*words)
	for i := range n {
		binary.BigEndian.PutUint64(raw[8*i:], n[i])
	}
	if raw[0] >= fillers {
		return nil, 0, false
	}
	return raw[1:], raw[0], true
}

func digitOf(c byte) int64 {
	switch {
	case c >= '0' && c <= '9':
		return int64(c - '0')
	case c >= 'A' && c <= 'Z':
		return int64(c-'A') + 10
	case c >= 'a' && c <= 'z':
		return int64(c-'a') + 36
	}
	return -1
}
