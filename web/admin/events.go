package admin

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/storage"
)

// Events is a page of the audit trail, newest first.
type Events struct {
	Events []Event         `json:"events"`
	Next   storage.EventID `json:"next,omitempty"` // "before" of the next page
}

// supportNumber is the form of a correlation id.
var supportNumber = regexp.MustCompile(`^[A-Z2-7]{4}(-[A-Z2-7]{4}){3}$`)

func (s *Surface) listEvents(c *gin.Context, _ mfa.Caller) {
	f := storage.EventFilter{UserID: storage.UserID(c.Query("user")), ClientID: storage.ClientID(c.Query("client")),
		Kind: c.Query("kind"), CorrelationID: strings.ToUpper(c.Query("support")), Login: c.Query("login"), Before: storage.EventID(c.Query("before"))}
	for name, id := range map[string]string{"user": string(f.UserID), "before": string(f.Before)} {
		if _, ok := storage.Bytes(id); !ok && id != "" {
			badParameter(c, name, "must be an id")
			return
		}
	}
	// A number that was misheard must not look like an empty audit trail.
	if f.CorrelationID != "" && !supportNumber.MatchString(f.CorrelationID) {
		badParameter(c, "support", "must be a support number such as A2B3-C4D5-E6F7-G2H3")
		return
	}
	// A misspelt kind must not look like an empty audit trail.
	if f.Kind != "" && !slices.Contains(mfa.EventKinds(), f.Kind) {
		badParameter(c, "kind", "there is no such kind")
		return
	}
	var ok bool
	if f.From, ok = s.moment(c, "since"); !ok {
		return
	}
	if f.To, ok = s.moment(c, "until"); !ok {
		return
	}
	if f.Limit, ok = s.limit(c); !ok {
		return
	}
	list, err := s.Journal.List(c.Request.Context(), f)
	if err != nil {
		s.fail(c, err)
		return
	}
	page := Events{Events: []Event{}}
	for _, e := range list {
		page.Events = append(page.Events, newEvent(e))
	}
	if len(list) == f.Limit {
		page.Next = list[f.Limit-1].ID
	}
	c.JSON(http.StatusOK, page)
}

// Keys are the server's own keys.
type Keys struct {
	Keys []ServerKey `json:"keys"`
}

func (s *Surface) listKeys(c *gin.Context, _ mfa.Caller) {
	out := Keys{Keys: []ServerKey{}}
	for _, k := range s.Keyring.Rows() {
		out.Keys = append(out.Keys, newServerKey(k))
	}
	slices.SortFunc(out.Keys, func(a, b ServerKey) int {
		return cmp.Or(cmp.Compare(a.Use, b.Use), cmp.Compare(a.Alg, b.Alg), b.ActiveAt.Compare(a.ActiveAt), cmp.Compare(a.ID, b.ID))
	})
	c.JSON(http.StatusOK, out)
}
