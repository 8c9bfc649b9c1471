// Package notice composes the messages to users, and renders them: one-time codes, and
// notices of changes to their account.
package notice

import (
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Kinds of messages.
const (
	Mail = "mail"
	SMS  = "sms"
)

// Kinds returns the kinds of messages to users.
func Kinds() []string { return []string{Mail, SMS} }

// Templates of the messages. Code has the values "product", "code" and "minutes", all others
// "product" and "time".
const (
	Code            = "code"
	RecoveryUsed    = "recovery_code_used" // may have "left"
	FactorLocked    = "factor_locked"      // "method"
	FactorEnrolled  = "factor_enrolled"    // "method"
	FactorRemoved   = "factor_removed"     // "method", may have "name"
	RecoveryRenewed = "recovery_codes_renewed"
	PasswordChanged = "password_changed"
	AddressRemoved  = "address_removed" // "address"
	NewDevice       = "new_device"      // may have "browser"
)

// Templates returns every template.
func Templates() []string {
	return []string{Code, RecoveryUsed, FactorLocked, FactorEnrolled, FactorRemoved, RecoveryRenewed, PasswordChanged, AddressRemoved, NewDevice}
}

// ttl is how long delivery of a notice is tried.
const ttl = 24 * time.Hour

// New returns a message to the first verified e-mail address of an account; nil if it has
// none. It adds the product and the time to data.
func New(now time.Time, random io.Reader, product string, caller mfa.Caller, a *storage.Account, template string, data map[string]string) []storage.Message {
	i := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool {
		return i.Kind == storage.Email && !i.VerifiedAt.IsZero()
	})
	if i < 0 {
		return nil
	}
	data["product"] = product
	data["time"] = now.UTC().Format(time.RFC3339)
	return []storage.Message{{ID: storage.MessageID(storage.TimeOrdered(now, random)), Kind: Mail,
		Recipient: a.Identifiers[i].Text(), Template: template, Locale: caller.Locale, Data: data,
		CreatedAt: now, NextAt: now, ExpiresAt: now.Add(ttl)}}
}
