package cidaas

import (
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// methods are the names of our methods in the dialect, where they are not the same in
// capitals.
var methods = map[string]string{"recovery": "BACKUPCODE"}

// wireName is what a method is called.
func wireName(method string) string {
	if name, ok := methods[method]; ok {
		return name
	}
	return strings.ToUpper(method)
}

// method returns the method a name of any case means; "" means none of ours.
func (s *Surface) method(name string) string {
	for _, i := range s.verifier.Methods() {
		if strings.EqualFold(wireName(i.Name), name) {
			return i.Name
		}
	}
	return ""
}

// Usage types, to the letter.
const (
	passwordlessAuthentication = "PASSWORDLESS_AUTHENTICATION"
	initialAuthentication      = "INITIAL_AUTHENTICATION"
	multifactorAuthentication  = "MULTIFACTOR_AUTHENTICATION"
)

// usage is what a usage type means for a method. A method that opens ordinary logins
// (a password) does so under both names of a first factor.
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

// progress is where a status is, as callers who poll it are told.
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

// exchangeBody is an exchange with its end.
type exchangeBody struct {
	ID        storage.ExchangeID `json:"exchange_id"`
	ExpiresAt string             `json:"expires_at"`
}

// exchangeOf writes the end as RFC 3339 in UTC with milliseconds, always three digits of
// them: callers compare it as text.
func exchangeOf(id storage.ExchangeID, until time.Time) exchangeBody {
	return exchangeBody{id, until.UTC().Format("2006-01-02T15:04:05.000Z")}
}
