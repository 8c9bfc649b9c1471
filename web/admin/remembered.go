package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/storage"
)

// RememberedDevices are the devices on which a user is spared the second factor.
type RememberedDevices struct {
	Devices []RememberedDevice `json:"devices"` // newest first
}

// RememberedDevice is a remembered device without the material of its token.
type RememberedDevice struct {
	ID         storage.RememberedID `json:"id"`
	Method     string               `json:"method"`    // that was proven
	ProvenAt   time.Time            `json:"proven_at"` // each client applies its mfa_remember to this
	UserAgent  string               `json:"user_agent,omitempty"`
	CreatedAt  time.Time            `json:"created_at"`
	LastUsedAt time.Time            `json:"last_used_at"`
	ExpiresAt  time.Time            `json:"expires_at"`
}

func (s *Surface) listRemembered(c *gin.Context, _ mfa.Caller) {
	a, ok := s.account(c)
	if !ok {
		return
	}
	list, err := s.Sessions.RememberedOf(c.Request.Context(), a.User.ID)
	if err != nil {
		s.fail(c, err)
		return
	}
	out := RememberedDevices{Devices: []RememberedDevice{}}
	for _, d := range list {
		out.Devices = append(out.Devices, RememberedDevice{ID: d.ID, Method: d.Factor.Method, ProvenAt: d.Factor.At, UserAgent: d.UserAgent,
			CreatedAt: d.CreatedAt, LastUsedAt: d.LastUsedAt, ExpiresAt: d.ExpiresAt})
	}
	c.JSON(http.StatusOK, out)
}

// forget ends one remembered device of a user, or all.
func (s *Surface) forget(c *gin.Context, v mfa.Caller) {
	id := storage.RememberedID(c.Query("device"))
	s.ofUser("asked for the second factor again", func(ctx context.Context, v mfa.Caller, a storage.Account) error {
		err := s.Sessions.ForgetDevice(ctx, v, storage.Event{UserID: a.User.ID}, id)
		if id == "" && mfa.CodeOf(err) == mfa.NotConfigured {
			return nil // none is left, as the caller wants
		}
		return err
	})(c, v)
}
