package mfa

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"sallyport/storage"
)

// HasSecond reports whether an account holds a second factor, disabled ones included.
// Something the user knows does not add to a password (NIST SP 800-63B section 4.2).
func HasSecond(a *storage.Account, methods []Info) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return IsEnrolled(x) && slices.ContainsFunc(methods, func(i Info) bool {
			return i.Second && i.Name == x.Method && slices.ContainsFunc(i.Kinds, func(k storage.Kind) bool { return k != storage.Know })
		})
	})
}

// IsEnrolled reports whether the enrolment of an authenticator is confirmed and it has uses
// left, if they are limited.
func IsEnrolled(a storage.Authenticator) bool {
	if a.State == storage.AuthenticatorPending {
		return false
	}
	uses := maxUses(a)
	return uses == 0 || a.Counter < uses
}

// UsesLeft returns how many uses of an authenticator are left; 0 if they are not limited.
func UsesLeft(a storage.Authenticator) int64 { return max(maxUses(a)-a.Counter, 0) }

// maxUses returns how often an authenticator can be used in total; 0: no limit.
func maxUses(a storage.Authenticator) int64 {
	var d struct{ Uses int64 }
	if !mayHave(a.Data, `"uses"`) || json.Unmarshal(a.Data, &d) != nil {
		return 0
	}
	return d.Uses
}

// mayHave reports whether data may have a member, quoted as methods write it. Most data has none of
// those that policy asks for, and need not be decoded for every method in turn.
func mayHave(data json.RawMessage, name string) bool { return bytes.Contains(data, []byte(name)) }

// DisplayName returns the name shown for a user: user name, e-mail address, phone number or,
// without any of them, the ID.
func DisplayName(a storage.Account) string {
	for _, kind := range []storage.IdentifierKind{storage.Username, storage.Email, storage.Phone} {
		for _, i := range a.Identifiers {
			if i.Kind == kind {
				return i.Text()
			}
		}
	}
	return string(a.User.ID)
}

// MaskAddress returns an e-mail address or phone number with most of it hidden, for its owner
// to recognize.
func MaskAddress(address string) string {
	const dots = "•••"
	local, domain, mail := strings.Cut(address, "@")
	switch r := []rune(local); {
	case mail && len(r) > 2:
		return string(r[:1]) + dots + string(r[len(r)-1:]) + "@" + domain
	case mail:
		return dots + "@" + domain
	case len(r) > 6:
		return string(r[:3]) + dots + string(r[len(r)-2:])
	}
	return dots
}
