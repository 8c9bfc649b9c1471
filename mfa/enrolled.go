package mfa

import (
	"encoding/json"
	"slices"

	"sallyport/storage"
)

// hasSecond reports whether an account holds any second factor, usable or not.
func HasSecond(a *storage.Account, methods []Info) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return Enrolled(x) && slices.ContainsFunc(methods, func(i Info) bool { return i.Second && i.Name == x.Method })
	})
}

// standing reports whether an authenticator belongs to the account for good: its
// enrolment is confirmed and its uses, if they are numbered, are not used up.
func Enrolled(a storage.Authenticator) bool {
	if a.State == storage.AuthenticatorPending {
		return false
	}
	var numbered struct{ Uses int64 }
	if json.Unmarshal(a.Data, &numbered) != nil || numbered.Uses == 0 {
		return true
	}
	return a.Counter < numbered.Uses
}

// left is how many codes of a set are unused.
func UsesLeft(a storage.Authenticator) int64 {
	var d struct{ Uses int64 }
	if json.Unmarshal(a.Data, &d) != nil {
		return 0
	}
	return max(d.Uses-a.Counter, 0)
}

// NameOf is the name a user is told by: user name, e-mail address, phone number, or the ID of
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
