package wireid

import (
	"io"
	"strings"

	"sallyport/storage"
)

// Kind says what an identifier of Stytch names.
type Kind string

// The kinds of Stytch.
const (
	StytchUser         Kind = "user"
	StytchEmail        Kind = "email"
	StytchPhone        Kind = "phone-number"
	StytchTOTP         Kind = "totp"
	StytchRecoveryCode Kind = "totp-recovery-code"
	StytchSession      Kind = "session"
	stytchKey          Kind = "jwk"
	stytchRequest      Kind = "request-id"
)

// Stytch returns an identifier of Stytch: kind, environment ("test" or "live") and the
// identifier. It is "" for an identifier that does not have the layout 8-4-4-4-12.
func Stytch[T ~string](kind Kind, environment string, id T) string {
	if _, ok := storage.Bytes(id); !ok {
		return ""
	}
	return stytchPrefix(kind, environment) + string(id)
}

// FromStytch returns the identifier in one of Stytch; false for anything that Stytch does not
// return for this kind and environment.
func FromStytch[T ~string](kind Kind, environment, text string) (T, bool) {
	id, ok := strings.CutPrefix(text, stytchPrefix(kind, environment))
	if !ok {
		return "", false
	}
	if _, ok = storage.Bytes(id); !ok {
		return "", false
	}
	return T(id), true
}

func stytchPrefix(kind Kind, environment string) string {
	return string(kind) + "-" + environment + "-"
}

// StytchKey returns the kid of a key in an environment.
func StytchKey(environment string) func(storage.KeyID) string {
	return func(id storage.KeyID) string { return Stytch(stytchKey, environment, id) }
}

// StytchRequest returns an identifier for a request, random each time.
func StytchRequest(environment string, random io.Reader) string {
	return Stytch(stytchRequest, environment, storage.Random128(random))
}
