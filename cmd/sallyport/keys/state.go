package keys

import (
	"time"

	"sallyport/storage"
)

// State returns the state of a key as operators see it.
func State(k storage.Key, now time.Time) string {
	switch {
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return "expired"
	case !k.RetiredAt.IsZero() && !now.Before(k.RetiredAt):
		return "retired"
	case now.Before(k.ActiveAt):
		return "waiting"
	}
	return "in use"
}
