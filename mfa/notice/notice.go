// Package notice composes the messages that tell users what happened to their account.
package notice

import (
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Templates of the messages that tell a user what happened to their factors.
const (
	RecoveryUsed   = "recovery_code_used"
	FactorLocked   = "factor_locked"
	FactorEnrolled = "factor_enrolled"
)

// messageTTL is how long such a notice is worth sending.
const ttl = 24 * time.Hour

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

// Templates of the messages about changes on the account page.
const (
	FactorRemoved   = "factor_removed"
	RecoveryRenewed = "recovery_codes_renewed"
	PasswordChanged = "password_changed"
)
