// Package device writes and reads the cookies by which a browser is recognised: the users who
// signed in with it, and where they proved two factors.
package device

import (
	"crypto/hmac"
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"time"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// The cookies are a random device ID followed by keyed hashes of what is recognised. They reveal
// nothing, and only the server can create them.
const (
	idBytes    = 16
	markBytes  = 16
	markLength = 22 // in base64
)

// kind is a kind of cookie.
type kind struct {
	purpose string
	most    int // marks
}

func users() kind    { return kind{"device", 4} }
func familiar() kind { return kind{"familiar", 16} }

// Remember returns a device cookie with a user added in front. It drops the oldest of more
// than four.
func Remember(keyring *seal.Keyring, random io.Reader, cookie string, user storage.UserID) string {
	return users().add(keyring, random, cookie, string(user))
}

// Knows reports whether a user signed in with the device of a cookie, and returns its ID.
func Knows(keyring *seal.Keyring, cookie string, user storage.UserID) (string, bool) {
	return users().has(keyring, cookie, string(user))
}

// Place is where a user calls from.
type Place struct {
	User    storage.UserID
	Ended   int64 // DevicesEnded of the user
	Network string
	Country string // "": not known
}

// A network is familiar in the period of the proof and in the two after it: for 60 to 90 days.
const (
	period  = 30 * 24 * time.Hour
	periods = 3
)

// MarkFamiliar returns a familiar cookie with a user, and the network and the country they called
// from, in front.
func MarkFamiliar(keyring *seal.Keyring, random io.Reader, cookie string, p Place, now time.Time) string {
	cookie = familiar().add(keyring, random, cookie, p.in(p.Network, now))
	if p.Country != "" {
		cookie = familiar().add(keyring, random, cookie, p.in(p.Country, now))
	}
	return familiar().add(keyring, random, cookie, string(p.User))
}

// Familiar is what a user has proven two factors with.
type Familiar struct {
	Device bool // ever
	// In the last three periods, since the user's devices last ended. A familiar network has the
	// country that it had.
	Network, Country bool
}

// IsFamiliar returns what is familiar about a place, by a cookie.
func IsFamiliar(keyring *seal.Keyring, cookie string, p Place, now time.Time) Familiar {
	var f Familiar
	if cookie == "" {
		return f
	}
	_, f.Device = familiar().has(keyring, cookie, string(p.User))
	within := func(what string) bool {
		at, found := now, false
		for range periods {
			_, here := familiar().has(keyring, cookie, p.in(what, at))
			found, at = found || here, at.Add(-period)
		}
		return found && what != ""
	}
	f.Network = within(p.Network)
	f.Country = f.Network || p.Country == "" || within(p.Country)
	return f
}

// in returns what a mark says of a network or a country in the period of a time.
func (p Place) in(what string, t time.Time) string {
	return strings.Join([]string{string(p.User), strconv.FormatInt(p.Ended, 10), strconv.FormatInt(t.Unix()/int64(period/time.Second), 10), what}, "|")
}

// add returns a cookie with a mark in front. It drops the oldest of too many.
func (k kind) add(keyring *seal.Keyring, random io.Reader, cookie, what string) string {
	device, marks := k.parse(cookie)
	if device == "" {
		var b [idBytes]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			panic("mfa: no randomness: " + err.Error())
		}
		device = base64.RawURLEncoding.EncodeToString(b[:])
	}
	out := []string{device, mark(keyring.MAC("subject", k.purpose, device+"|"+what))}
	for _, m := range marks {
		if len(out) <= k.most && !k.isMark(keyring, device, what, m) {
			out = append(out, m)
		}
	}
	return strings.Join(out, ".")
}

func (k kind) has(keyring *seal.Keyring, cookie, what string) (string, bool) {
	device, marks := k.parse(cookie)
	for _, m := range marks {
		if k.isMark(keyring, device, what, m) {
			return device, true
		}
	}
	return "", false
}

func (k kind) isMark(keyring *seal.Keyring, device, what, m string) bool {
	for _, mac := range keyring.MACs("subject", k.purpose, device+"|"+what) {
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
func (k kind) parse(cookie string) (string, []string) {
	if len(cookie) > (k.most+1)*(markLength+1) {
		return "", nil
	}
	parts := strings.Split(cookie, ".")
	if len(parts) > k.most+1 {
		return "", nil
	}
	for _, p := range parts {
		if b, err := base64.RawURLEncoding.DecodeString(p); err != nil || len(b) != idBytes {
			return "", nil
		}
	}
	return parts[0], parts[1:]
}
