// Package notice composes the messages that notify users of changes to their account.
package notice

import (
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Templates of the messages.
const (
	RecoveryUsed    = "recovery_code_used"
	FactorLocked    = "factor_locked"
	FactorEnrolled  = "factor_enrolled"
	FactorRemoved   = "factor_removed"
	RecoveryRenewed = "recovery_codes_renewed"
	PasswordChanged = "password_changed"
)

// ttl is how long delivery of a message is tried.
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
	return []storage.Message{{ID: storage.MessageID(storage.TimeOrdered(now, random)), Kind: "mail",
		Recipient: a.Identifiers[i].Value, Template: template, Locale: caller.Locale, Data: data,
		CreatedAt: now, NextAt: now, ExpiresAt: now.Add(ttl)}}
}
