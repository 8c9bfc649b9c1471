package cidaas

import (
	"errors"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/passkey"
	"sallyport/mfa/recovery"
	"sallyport/storage"
	"sallyport/web/signin"
)

// methods are the names of methods in the dialect that are not just in capitals.
var methods = map[string]string{recovery.Name: "BACKUPCODE", passkey.Name: "FIDO2"}

// wireName is the name of a method in the dialect.
func wireName(method string) string {
	if name, ok := methods[method]; ok {
		return name
	}
	return strings.ToUpper(method)
}

// method returns the method of a name in any case; "": there is no such method.
func (s *Surface) method(name string) string {
	for _, i := range s.verifier.Methods() {
		if strings.EqualFold(wireName(i.Name), name) {
			return i.Name
		}
	}
	return ""
}

// Usage types are case-sensitive.
const (
	passwordlessAuthentication = "PASSWORDLESS_AUTHENTICATION"
	initialAuthentication      = "INITIAL_AUTHENTICATION"
	multifactorAuthentication  = "MULTIFACTOR_AUTHENTICATION"
)

// usage returns the usage for a usage type. A first factor (a password) has the same usage
// under both usage types of a first factor.
func (s *Surface) usage(kind, method string) (string, bool) {
	i, _ := s.verifier.Info(method)
	switch kind {
	case passwordlessAuthentication:
		if i.First {
			return mfa.UsageFirst, true
		}
		return mfa.UsagePasswordless, true
	case initialAuthentication:
		if i.First {
			return mfa.UsageFirst, true
		}
		return mfa.UsageInitial, true
	case multifactorAuthentication:
		return mfa.UsageSecond, true
	}
	return "", false
}

// progress is the state of a status, for callers that poll it.
func progress(s storage.Status) string {
	enrolled := s.Usage == mfa.UsageEnroll
	switch s.State {
	case storage.StatusInitiated:
		return "INITIATED"
	case storage.StatusVerified, storage.StatusRedeemed:
		if enrolled {
			return "ENROLLED"
		}
		if s.State == storage.StatusRedeemed {
			return "CONSUMED"
		}
		return "AUTHENTICATED"
	case storage.StatusFailed:
		return "FAILED"
	}
	return "CANCELLED"
}

// exchangeBody is an exchange with its expiry.
type exchangeBody struct {
	ID        storage.ExchangeID `json:"exchange_id"`
	ExpiresAt string             `json:"expires_at"`
}

// exchangeOf formats the expiry as RFC 3339 in UTC, always with three digits of
// milliseconds: callers compare it as text.
func exchangeOf(id storage.ExchangeID, until time.Time) exchangeBody {
	return exchangeBody{id, until.UTC().Format("2006-01-02T15:04:05.000Z")}
}

// agrees checks that the user whom the owner of a login names, by a masked subject or an
// identifier, is the user of the login. Before a user is identified it checks nothing.
func (s *Surface) agrees(call signin.Call, sub, name string) error {
	if call.Step.Request.Subject == "" {
		return nil
	}
	if sub != "" && !s.provider.IsMasked(call.Step, sub) || name != "" && !has(call.Step.Account, name) {
		return &mfa.Error{Code: mfa.NotConfigured, Err: errors.New("the call names another user than that of the login")}
	}
	return nil
}

// has reports whether an account has an identifier, however it is typed.
func has(a *storage.Account, name string) bool {
	canonical, _, err := mfa.Canonical(name)
	return err == nil && a != nil && slices.ContainsFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Value == canonical })
}

// id reads an id, which the libraries may have written in capitals.
func id[T ~string](text string) T { return T(strings.ToLower(strings.TrimSpace(text))) }

// requestID reads the id of a request, or what the server's pages have in its place: that is
// longer, and its capitals count.
func requestID(text string) storage.RequestID {
	if lower := id[storage.RequestID](text); wellFormed(string(lower)) {
		return lower
	}
	return storage.RequestID(strings.TrimSpace(text))
}

// wellFormed reports whether a text can be an id.
func wellFormed(text string) bool {
	_, ok := storage.Bytes(text)
	return ok
}
