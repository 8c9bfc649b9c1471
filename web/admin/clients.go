package admin

import (
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/desired"
	"sallyport/storage"
)

// Clients are all clients, ordered by id.
type Clients struct {
	Clients []Client `json:"clients"`
}

func (s *Surface) listClients(c *gin.Context, _ mfa.Caller) {
	list, err := s.Clients.List(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	out := Clients{Clients: []Client{}}
	for _, x := range list {
		out.Clients = append(out.Clients, newClient(x))
	}
	c.JSON(http.StatusOK, out)
}

func (s *Surface) showClient(c *gin.Context, _ mfa.Caller) {
	x, err := s.Clients.Client(c.Request.Context(), storage.ClientID(c.Param("client")))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, newClient(x))
}

// putClient replaces a client. A confidential client keeps its secret; one without gets a
// secret, which the response shows once.
func (s *Surface) putClient(c *gin.Context, v mfa.Caller) {
	members, ok := s.object(c)
	if !ok {
		return
	}
	id := storage.ClientID(c.Param("client"))
	if sent, ok := members["client_id"]; ok && sent != string(id) {
		s.fail(c, Faults{{Field: "client_id", Detail: "must be that of the address"}})
		return
	}
	members["client_id"] = string(id)
	have, err := s.Clients.Client(c.Request.Context(), id)
	if err != nil && !errors.Is(err, clients.ErrNotFound) {
		s.fail(c, err)
		return
	}
	if err := dropUnchanged(members, newClient(have), clientReadOnly, false); err != nil {
		s.fail(c, err)
		return
	}
	inSeconds(members)
	secret, err := s.secretOf(members, have)
	if err != nil {
		s.fail(c, err)
		return
	}
	change, ok := s.one(c, v, "clients", members, desired.OnlyEither)
	if !ok {
		return
	}
	status := http.StatusOK
	if change.Action == desired.Create {
		status = http.StatusCreated
	}
	c.JSON(status, Done{Client: id, Done: done(change), Secret: secret, Differences: change.Differences})
}

// secretOf adds a secret to a body that requires one and has none: that of the client, or a
// new one, which it returns.
func (s *Surface) secretOf(members map[string]any, have storage.Client) (string, error) {
	_, plain := members["client_secret"]
	_, hashed := members["client_secret_sha256"]
	method, _ := members["token_endpoint_auth_method"].(string)
	if plain || hashed || clients.New(storage.Client{Public: members["public"] == true, AuthMethod: method}).HasNoSecret() {
		return "", nil
	}
	signs := method == clients.SecretJWT
	switch known := clients.New(have).SigningSecrets(); {
	case signs && len(known) > 0:
		members["client_secret"] = string(known[0])
		return "", nil
	case !signs && len(have.SecretHashes) > 0:
		members["client_secret_sha256"] = hex.EncodeToString(have.SecretHashes[0])
		return "", nil
	}
	secret, err := s.Clients.NewSecret()
	members["client_secret"] = secret
	return secret, err
}

func (s *Surface) deleteClient(c *gin.Context, v mfa.Caller) {
	id := storage.ClientID(c.Param("client"))
	if err := s.Clients.Delete(c.Request.Context(), v, id); err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Done{Client: id, Done: "deleted"})
}

// addClientSecret begins a rotation. A caller may choose the new secret, so as to store it
// before it becomes valid.
func (s *Surface) addClientSecret(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, false)
	if !ok {
		return
	}
	secret, created := in.Text("client_secret"), ""
	if secret != "" && len(secret) < 32 {
		in.Fault("client_secret", "must have at least 32 characters, created at random")
	}
	if !s.valid(c, in) {
		return
	}
	if secret == "" {
		var err error
		if created, err = s.Clients.NewSecret(); err != nil {
			s.fail(c, err)
			return
		}
		secret = created
	}
	id := storage.ClientID(c.Param("client"))
	err := s.Clients.AddSecret(c.Request.Context(), v, id, secret)
	if invalid, ok := errors.AsType[*clients.InvalidError](err); ok {
		for _, f := range invalid.Faults {
			in.Fault(f.Field, f.Text)
		}
		s.valid(c, in)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, Done{Client: id, Done: "the new secret is good beside the old one", Secret: created})
}

func (s *Surface) dropClientSecret(c *gin.Context, v mfa.Caller) {
	id := storage.ClientID(c.Param("client"))
	if err := s.Clients.FinishRotation(c.Request.Context(), v, id); err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Done{Client: id, Done: "only the newest secret is good"})
}
