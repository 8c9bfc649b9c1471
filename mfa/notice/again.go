package notice

import (
	"slices"
	"time"

	"sallyport/storage"
)

// Until returns when a message that an administrator sends again expires. A notice of what
// happened is as true a day later. A code or link keeps its end: a later mail would bring one that
// no longer works.
func Until(now time.Time, m storage.Message) time.Time {
	if m.Kind == storage.BackchannelLogout {
		return now.Add(storage.KeepLogout) // its token is written when it is sent
	}
	if !HasCode(m.Template) && slices.Contains(Templates(), m.Template) {
		return now.Add(ttl)
	}
	return m.ExpiresAt
}
