package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider/apikeys"
	"sallyport/storage"
)

// APIKeys are all API keys, ordered by name.
type APIKeys struct {
	APIKeys []APIKey `json:"api_keys"`
}

func (s *Surface) listAPIKeys(c *gin.Context, _ mfa.Caller) {
	var list []storage.APIKey
	var err error
	if name, sent := c.GetQuery("name"); sent {
		var k storage.APIKey
		if k, err = s.APIKeys.Find(c.Request.Context(), name); err == nil {
			list = []storage.APIKey{k}
		} else if errors.Is(err, apikeys.ErrNotFound) {
			err = nil
		}
	} else {
		list, err = s.APIKeys.List(c.Request.Context())
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	out := APIKeys{APIKeys: []APIKey{}}
	for _, k := range list {
		orphaned, err := s.APIKeys.Orphaned(c.Request.Context(), k)
		if err != nil {
			s.fail(c, err)
			return
		}
		out.APIKeys = append(out.APIKeys, newAPIKey(k, orphaned))
	}
	c.JSON(http.StatusOK, out)
}

func (s *Surface) showAPIKey(c *gin.Context, _ mfa.Caller) {
	k, err := s.APIKeys.Get(c.Request.Context(), storage.APIKeyID(c.Param("key")))
	orphaned := false
	if err == nil {
		orphaned, err = s.APIKeys.Orphaned(c.Request.Context(), k)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, newAPIKey(k, orphaned))
}

// createAPIKey creates a key. Only the response holds its secret.
func (s *Surface) createAPIKey(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, true)
	if !ok {
		return
	}
	d := apikeys.Draft{Name: in.Text("name"), Dialects: in.List("dialects"), Verbs: in.List("verbs"),
		Project: in.Text("project"), App: in.Text("app"), Disabled: in.Flag("disabled"), ExpiresAt: in.Time("expires_at"), Secret: in.Text("secret")}
	if !s.valid(c, in) {
		return
	}
	k, secret, err := s.APIKeys.Create(c.Request.Context(), v, by(c), d)
	var invalid *apikeys.InvalidError
	if errors.As(err, &invalid) {
		var faults Faults
		for _, f := range invalid.Faults {
			faults = append(faults, Fault{Field: f.Field, Detail: f.Err.Error()})
		}
		err = faults
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Location", Base+"/api-keys/"+string(k.ID))
	c.JSON(http.StatusCreated, Done{APIKey: k.ID, Done: "created", Secret: secret})
}

func (s *Surface) addAPIKeySecret(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, false)
	if !ok || !s.valid(c, in) {
		return
	}
	id := storage.APIKeyID(c.Param("key"))
	secret, err := s.APIKeys.AddSecret(c.Request.Context(), v, by(c), id)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, Done{APIKey: id, Done: "the new secret is good beside the old one", Secret: secret})
}

// ofAPIKey serves a call that makes one change to one key.
func (s *Surface) ofAPIKey(done string, do func(context.Context, mfa.Caller, apikeys.Caller, storage.APIKeyID) error) func(*gin.Context, mfa.Caller) {
	return func(c *gin.Context, v mfa.Caller) {
		in, ok := s.read(c, false)
		if !ok || !s.valid(c, in) {
			return
		}
		id := storage.APIKeyID(c.Param("key"))
		if err := do(c.Request.Context(), v, by(c), id); err != nil {
			s.fail(c, err)
			return
		}
		c.JSON(http.StatusOK, Done{APIKey: id, Done: done})
	}
}
