package mfa

import (
	"encoding/json"
	"slices"

	"sallyport/storage"
)

// HasSecond reports whether an account holds any second factor, usable or not. What a user
// knows is none beside a password (NIST SP 800-63B section 4.2).
func HasSecond(a *storage.Account, methods []Info) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return Enrolled(x) && slices.ContainsFunc(methods, func(i Info) bool { return i.Second && i.Name == x.Method && slices.ContainsFunc(i.Kinds, notKnown) })
	})
}

func notKnown(k storage.Kind) bool { return k != storage.Know }

// Enrolled reports whether an authenticator belongs to the account for good: its
// enrolment is confirmed and its uses, if they are numbered, are not used up.
func Enrolled(a storage.Authenticator) bool {
	if a.State == storage.AuthenticatorPending {
		return false
	}
	uses := usesOf(a)
	return uses == 0 || a.Counter < uses
}

// UsesLeft is how many numbered uses of an authenticator are left; 0 where they are not.
func UsesLeft(a storage.Authenticator) int64 { return max(usesOf(a)-a.Counter, 0) }

// usesOf is how often an authenticator can be used in all; 0: there is no bound.
func usesOf(a storage.Authenticator) int64 {
	var d struct{ Uses int64 }
	if json.Unmarshal(a.Data, &d) != nil {
		return 0
	}
	return d.Uses
}

// NameOf is the name a user is shown by: user name, e-mail address, phone number, or the ID of
// one who has none.
func NameOf(a storage.Account) string {
	for _, kind := range []storage.IdentifierKind{storage.Username, storage.Email, storage.Phone} {
		for _, i := range a.Identifiers {
			if i.Kind == kind {
				return i.Value
			}
		}
	}
	return string(a.User.ID)
}
