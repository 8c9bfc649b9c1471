// Package notice composes the messages to users, and renders them: one-time codes, and
// notices of changes to their account.
package notice

import (
	"io"
	"io/fs"
	"slices"
	"strings"
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

// Templates of the messages. Code has the values "product", "code" and "minutes", PasswordReset
// these and "link", all others "product" and "time".
const (
	Code            = "code"
	PasswordReset   = "password_reset"
	RecoveryUsed    = "recovery_code_used" // may have "left"
	FactorLocked    = "factor_locked"      // "method"
	FactorEnrolled  = "factor_enrolled"    // "method"
	FactorRemoved   = "factor_removed"     // "method", may have "name"
	RecoveryRenewed = "recovery_codes_renewed"
	PasswordChanged = "password_changed"
	AddressRemoved  = "address_removed" // "address"
	AddressAdded    = "address_added"   // "address"
	AddressChanged  = "address_changed" // "address" and "new"; may have "undo"
	AddressTaken    = "address_taken"   // to the address of another user
)

// Templates returns every template.
func Templates() []string {
	return []string{Code, PasswordReset, RecoveryUsed, FactorLocked, FactorEnrolled, FactorRemoved, RecoveryRenewed, PasswordChanged, AddressRemoved,
		AddressAdded, AddressChanged, AddressTaken}
}

// expires reports whether what a message holds is valid for a while only.
func expires(template string) bool { return template == Code || template == PasswordReset }

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
	return []storage.Message{To(now, random, product, caller, a, a.Identifiers[i], template, data)}
}

// To is New for one address of an account.
func To(now time.Time, random io.Reader, product string, caller mfa.Caller, a *storage.Account, i storage.Identifier, template string, data map[string]string) storage.Message {
	kind := Mail
	if i.Kind == storage.Phone {
		kind = SMS
	}
	data["product"], data["time"] = product, now.UTC().Format(time.RFC3339)
	return storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, random)), Kind: kind,
		Recipient: i.Text(), Template: template, Locale: Locale(a, caller.Locale), Data: data,
		CreatedAt: now, NextAt: now, ExpiresAt: now.Add(ttl)}
}

// Instead replaces what a message with a code says, for the holder of an address that another
// user named.
func Instead(m *storage.Message, holder *storage.Account, template string) {
	m.Template, m.Locale = template, Locale(holder, m.Locale)
	m.Data = map[string]string{"product": m.Data["product"], "time": m.CreatedAt.UTC().Format(time.RFC3339)}
}

// Locale returns the language of messages to a user: the one in the profile, if there are texts in
// it, else that of the caller.
func Locale(a *storage.Account, caller string) string {
	if a == nil {
		return caller
	}
	own, _ := a.User.Profile["locale"].(string)
	// OpenID Connect Core section 5.1 allows an underscore.
	own, _, _ = strings.Cut(strings.ReplaceAll(own, "_", "-"), "-")
	own = strings.ToLower(own)
	if _, err := fs.Stat(files, "templates/"+own+".txt"); err != nil {
		return caller
	}
	return own
}
