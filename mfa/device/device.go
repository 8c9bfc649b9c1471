// Package device writes and reads the device cookie, which holds the users who signed in with
// a browser.
package device

import (
	"crypto/hmac"
	"encoding/base64"
	"io"
	"strings"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// A device cookie is a random device ID followed by a keyed hash for each user who signed in
// with the browser. It reveals no user, and only the server can create it.
const (
	purpose   = "device"
	maxUsers  = 4
	idBytes   = 16
	markBytes = 16
)

// Remember returns a device cookie with a user added in front. It drops the oldest of more
// than four.
func Remember(keyring *seal.Keyring, random io.Reader, cookie string, user storage.UserID) string {
	device, marks := parse(cookie)
	if device == "" {
		var b [idBytes]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			panic("mfa: no randomness: " + err.Error())
		}
		device = base64.RawURLEncoding.EncodeToString(b[:])
	}
	out := []string{device, mark(keyring.MAC("subject", purpose, device+"|"+string(user)))}
	for _, m := range marks {
		if len(out) <= maxUsers && !isMark(keyring, device, user, m) {
			out = append(out, m)
		}
	}
	return strings.Join(out, ".")
}

// Knows reports whether a user signed in with the device of a cookie, and returns its ID.
func Knows(keyring *seal.Keyring, cookie string, user storage.UserID) (string, bool) {
	device, marks := parse(cookie)
	for _, m := range marks {
		if isMark(keyring, device, user, m) {
			return device, true
		}
	}
	return "", false
}

func isMark(keyring *seal.Keyring, device string, user storage.UserID, m string) bool {
	for _, mac := range keyring.MACs("subject", purpose, device+"|"+string(user)) {
		if hmac.Equal([]byte(mark(mac)), []byte(m)) {
			return true
		}
	}
	return false
}

func mark(mac []byte) string {
	return base64.RawURLEncoding.EncodeToString(mac[:min(len(mac), markBytes)])
}

// parse returns the device ID and hashes of a cookie; "" if it is malformed.
func parse(cookie string) (string, []string) {
	if len(cookie) > 256 {
		return "", nil
	}
	parts := strings.Split(cookie, ".")
	if len(parts) > maxUsers+1 {
		return "", nil
	}
	for _, p := range parts {
		if b, err := base64.RawURLEncoding.DecodeString(p); err != nil || len(b) != idBytes {
			return "", nil
		}
	}
	return parts[0], parts[1:]
}
