package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider/registration"
	"sallyport/storage"
)

// RegistrationTokens are all initial access tokens, newest first.
type RegistrationTokens struct {
	Tokens []RegistrationToken `json:"registration_tokens"`
}

// RegistrationToken is an initial access token without its secret.
type RegistrationToken struct {
	ID        storage.RegistrationTokenID `json:"id"`
	Name      string                      `json:"name"`
	MaxUses   int64                       `json:"max_uses"`
	Uses      int64                       `json:"uses"`
	CreatedAt time.Time                   `json:"created_at"`
	UsedAt    *time.Time                  `json:"last_used_at,omitempty"`
	ExpiresAt time.Time                   `json:"expires_at"`
}

// Registration is how a client registered itself.
type Registration struct {
	At        time.Time                   `json:"registered_at"`
	Token     storage.RegistrationTokenID `json:"token,omitempty"`
	Statement bool                        `json:"software_statement,omitempty"` // it came with one
	UsedAt    *time.Time                  `json:"last_used_at,omitempty"`
	ExpiresAt time.Time                   `json:"expires_at"` // unless it gets tokens until then
}

func newRegistration(r *storage.Registration) *Registration {
	if r == nil {
		return nil
	}
	return &Registration{At: r.At, Token: r.Token, Statement: r.Statement != "", UsedAt: moment(r.UsedAt), ExpiresAt: r.ExpiresAt}
}

// Defaults of a new token: for one program, today.
const (
	tokenUses = 1
	tokenLife = 24 * time.Hour
)

func (s *Surface) listRegistrationTokens(c *gin.Context, _ mfa.Caller) {
	list, err := s.RegistrationTokens.List(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	out := RegistrationTokens{Tokens: []RegistrationToken{}}
	for _, t := range list {
		out.Tokens = append(out.Tokens, RegistrationToken{ID: t.ID, Name: t.Name, MaxUses: t.MaxUses, Uses: t.Uses, CreatedAt: t.CreatedAt, UsedAt: moment(t.UsedAt), ExpiresAt: t.ExpiresAt})
	}
	c.JSON(http.StatusOK, out)
}

// createRegistrationToken creates a token. Only the response holds its secret.
func (s *Surface) createRegistrationToken(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, true)
	if !ok {
		return
	}
	name, expires := in.Required("name"), in.Time("expires_at")
	uses, sent := in.Integer("max_uses")
	if !sent {
		uses = tokenUses
	}
	if expires.IsZero() {
		expires = s.now().Add(tokenLife)
	}
	if !s.valid(c, in) {
		return
	}
	t, secret, err := s.RegistrationTokens.Create(c.Request.Context(), v, name, uses, expires)
	for field, refusal := range map[string]error{"name": registration.ErrName, "max_uses": registration.ErrUses, "expires_at": registration.ErrLife} {
		if errors.Is(err, refusal) {
			err = Faults{{Field: field, Detail: refusal.Error()}}
		}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, Done{RegistrationToken: t.ID, Done: "created", Secret: secret})
}

func (s *Surface) revokeRegistrationToken(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, false)
	if !ok || !s.valid(c, in) {
		return
	}
	id := storage.RegistrationTokenID(c.Param("token"))
	if err := s.RegistrationTokens.Revoke(c.Request.Context(), v, id); err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Done{RegistrationToken: id, Done: "revoked"})
}
