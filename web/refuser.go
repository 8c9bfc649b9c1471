package web

import "github.com/gin-gonic/gin"

// Refuser is a Surface that writes the engine's refusals of its own addresses (nothing
// there, another method, too large, shed, broken) in its own words: its callers could
// not read the engine's.
type Refuser interface {
	Surface
	// Refuse writes a refusal and reports true, or reports false where the address is
	// not one of its own.
	Refuse(c *gin.Context, code int, reason string) bool
}

// refusedBySurface lets the surface an address belongs to refuse.
func (s *server) refusedBySurface(c *gin.Context, code int, reason string) bool {
	for _, r := range s.refusers {
		if r.Refuse(c, code, reason) {
			return true
		}
	}
	return false
}
