package mfa

import (
	"io"
	"slices"
	"time"

	"sallyport/storage"
)

// Templates of the messages that tell a user what happened to their factors.
const (
	MessageRecoveryUsed   = "recovery_code_used"
	MessageFactorLocked   = "factor_locked"
	MessageFactorEnrolled = "factor_enrolled"
)

// messageTTL is how long such a notice is worth sending.
const messageTTL = 24 * time.Hour

func notice(now time.Time, random io.Reader, product string, visit Visit, a *storage.Account, template string, data map[string]string) []storage.Message {
	i := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool {
		return i.Kind == storage.Email && !i.VerifiedAt.IsZero()
	})
	if i < 0 {
		return nil
	}
	data["product"] = product
	data["time"] = now.UTC().Format(time.RFC3339)
	return []storage.Message{{ID: storage.MessageID(storage.TimeOrdered(now, random)), Kind: "mail",
		Recipient: a.Identifiers[i].Value, Template: template, Locale: visit.Locale, Data: data,
		CreatedAt: now, NextAt: now, ExpiresAt: now.Add(messageTTL)}}
}

// Templates of the messages about changes on the account page.
const (
	MessageFactorRemoved   = "factor_removed"
	MessageRecoveryRenewed = "recovery_codes_renewed"
	MessagePasswordChanged = "password_changed"
)
