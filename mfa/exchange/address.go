package exchange

import (
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// AddressKind returns the kind of address that a method sends codes to; "": none.
func (v *Verifier) AddressKind(method string) storage.IdentifierKind {
	if m, ok := v.methods[method].(mfa.Addressed); ok {
		return m.Kind()
	}
	return ""
}

// AddressOf returns the address of an authenticator; "": it has none.
func (v *Verifier) AddressOf(a storage.Authenticator) string {
	if m, ok := v.methods[a.Method].(mfa.Addressed); ok {
		return m.AddressOf(a)
	}
	return ""
}

// FactorsAt returns the authenticators of an account that codes are sent to an address for, in every
// state.
func (v *Verifier) FactorsAt(account storage.Account, address string) []storage.Authenticator {
	var out []storage.Authenticator
	for _, x := range account.Authenticators {
		if address != "" && v.AddressOf(x) == address {
			out = append(out, x)
		}
	}
	return out
}

// AuthenticatorAt returns an authenticator of a method at an address, to be completed. Errors as
// mfa.Addressed.EnrollAddress; NotConfigured for a method that sends no codes.
func (v *Verifier) AuthenticatorAt(method, address string) (storage.Authenticator, error) {
	m, ok := v.methods[method].(mfa.Addressed)
	if !ok {
		return storage.Authenticator{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	return m.EnrollAddress(address)
}

// MaskedAddress is AddressOf as its owner recognizes it; "": it has none.
func (v *Verifier) MaskedAddress(a storage.Authenticator) string {
	if address := v.AddressOf(a); address != "" {
		return mfa.MaskAddress(address)
	}
	return ""
}

// Suggestion returns the address that a user would most likely enrol for a method: one of
// their names that is not enrolled yet, a verified one first; "": there is none.
func (v *Verifier) Suggestion(a storage.Account, method string) string {
	m, ok := v.methods[method].(mfa.Addressed)
	if !ok {
		return ""
	}
	suggestion := ""
	for _, i := range a.Identifiers {
		enrolled := slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
			return mfa.IsEnrolled(x) && m.AddressOf(x) == i.Text()
		})
		if i.Kind == m.Kind() && !enrolled && (suggestion == "" || !i.VerifiedAt.IsZero()) {
			suggestion = i.Text()
			if !i.VerifiedAt.IsZero() {
				break
			}
		}
	}
	return suggestion
}

// unverified returns the name of an account that a code sent to an authenticator verifies;
// "": none. Another spelling that is the same name may be another mailbox.
func (v *Verifier) unverified(a *storage.Account, x *storage.Authenticator, now time.Time) storage.IdentifierID {
	if x == nil {
		return ""
	}
	address := v.AddressOf(*x)
	for _, i := range a.Identifiers {
		if address != "" && i.Text() == address && i.Kind == v.AddressKind(x.Method) && i.VerifiedAt.IsZero() && (i.ExpiresAt.IsZero() || i.ExpiresAt.After(now)) {
			return i.ID
		}
	}
	return ""
}
