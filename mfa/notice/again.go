package notice

import (
	"time"

	"sallyport/storage"
)

// Until returns when a message that an administrator sends again expires. A notice of what
// happened is as true a day later. A code ends when it was to end: a later mail would bring
// one that no longer works.
func Until(now time.Time, m storage.Message) time.Time {
	switch m.Template {
	case RecoveryUsed, FactorLocked, FactorEnrolled, FactorRemoved, RecoveryRenewed, PasswordChanged:
		return now.Add(ttl)
	}
	return m.ExpiresAt
}
