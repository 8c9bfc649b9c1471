package admin

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/waits"
	"sallyport/storage"
)

// Waits are the running waits after failures of a user, a name, an address or a client.
type Waits struct {
	Waits []Wait `json:"waits"`
}

func (s *Surface) listWaits(c *gin.Context, _ mfa.Caller) {
	of, ok := s.waiting(c)
	if !ok {
		return
	}
	list, err := s.Waits.List(c.Request.Context(), of)
	if err != nil {
		s.fail(c, err)
		return
	}
	out := Waits{Waits: []Wait{}}
	for _, w := range list {
		out.Waits = append(out.Waits, Wait{Bucket: w.Bucket, Until: moment(w.Until), Network: w.Network})
	}
	c.JSON(http.StatusOK, out)
}

func (s *Surface) liftWaits(c *gin.Context, v mfa.Caller) {
	of, ok := s.waiting(c)
	if !ok {
		return
	}
	running, err := s.Waits.List(c.Request.Context(), of)
	if err == nil {
		err = s.Waits.Lift(c.Request.Context(), v, of)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	done := Done{Client: of.Client, Done: strconv.Itoa(len(running)) + " lifted"}
	if of.User != nil {
		done.User = of.User.User.ID
	}
	c.JSON(http.StatusOK, done)
}

// waiting reads whom a call is about: one of user, name, address and client, or a client at an
// address.
func (s *Surface) waiting(c *gin.Context) (waits.Subject, bool) {
	user, name, address, client := c.Query("user"), c.Query("name"), c.Query("address"), c.Query("client")
	sent := 0
	for _, value := range []string{user, name, client} {
		if value != "" {
			sent++
		}
	}
	if sent > 1 || sent == 0 && address == "" || address != "" && (user != "" || name != "") {
		badParameter(c, "user", "send one of user, name, address and client; a client may have an address")
		return waits.Subject{}, false
	}
	of := waits.Subject{Client: storage.ClientID(client)}
	if address != "" {
		if of.Network = waits.Network(address); of.Network == "" {
			badParameter(c, "address", "must be an IP address, or an IPv6 network of 64 bits")
			return of, false
		}
	}
	if name != "" {
		canonical, _, err := mfa.Canonical(name)
		if err != nil {
			badParameter(c, "name", "must be a user name, an e-mail address or a telephone number")
			return of, false
		}
		of.Name = canonical
	}
	if client != "" {
		if _, err := s.Clients.Client(c.Request.Context(), of.Client); err != nil {
			s.fail(c, err)
			return of, false
		}
	}
	if user == "" {
		return of, true
	}
	if _, ok := storage.Bytes(storage.UserID(user)); !ok {
		badParameter(c, "user", "must be an id")
		return of, false
	}
	a, err := s.Users.Account(c.Request.Context(), storage.UserID(user))
	if err != nil {
		s.fail(c, err)
		return of, false
	}
	of.User = &a
	return of, true
}
