package seal

import "crypto/subtle"

// Equal reports whether two secrets are the same, in constant time.
func Equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
