// Package device makes and reads the device cookie, which remembers which users signed in
// with a browser.
package device

import (
	"crypto/hmac"
	"encoding/base64"
	"io"
	"strings"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// A device cookie says which users signed in with this browser before: a random
// device, then one mark per user. A mark can not be made without the server's key
// and names nobody to who reads it.
const (
	devicePurpose = "device"
	deviceUsers   = 4
	deviceBytes   = 16
	markBytes     = 16
)

// remember returns the device cookie with one more user in it, the newest first.
func Remember(keyring *seal.Keyring, random io.Reader, cookie string, user storage.UserID) string {
	device, marks := parseDevice(cookie)
	if device == "" {
		var b [deviceBytes]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			panic("mfa: no randomness: " + err.Error())
		}
		device = base64.RawURLEncoding.EncodeToString(b[:])
	}
	out := []string{device, mark(keyring.MAC("subject", devicePurpose, device+"|"+string(user)))}
	for _, m := range marks {
		if len(out) <= deviceUsers && !isMark(keyring, device, user, m) {
			out = append(out, m)
		}
	}
	return strings.Join(out, ".")
}

// knows reports whether a device cookie was given to this user's browser.
func Knows(keyring *seal.Keyring, cookie string, user storage.UserID) (string, bool) {
	device, marks := parseDevice(cookie)
	for _, m := range marks {
		if isMark(keyring, device, user, m) {
			return device, true
		}
	}
	return "", false
}

func isMark(keyring *seal.Keyring, device string, user storage.UserID, m string) bool {
	for _, mac := range keyring.MACs("subject", devicePurpose, device+"|"+string(user)) {
		if hmac.Equal([]byte(mark(mac)), []byte(m)) {
			return true
		}
	}
	return false
}

func mark(mac []byte) string {
	return base64.RawURLEncoding.EncodeToString(mac[:min(len(mac), markBytes)])
}

// parseDevice takes a cookie apart; one that is not ours is no cookie.
func parseDevice(cookie string) (string, []string) {
	if len(cookie) > 256 {
		return "", nil
	}
	parts := strings.Split(cookie, ".")
	if len(parts) > deviceUsers+1 {
		return "", nil
	}
	for _, p := range parts {
		if b, err := base64.RawURLEncoding.DecodeString(p); err != nil || len(b) != deviceBytes {
			return "", nil
		}
	}
	return parts[0], parts[1:]
}
