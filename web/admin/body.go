package admin

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web/jsonbody"
)

// read reads the body of a call. A call that requires no member works without a body.
func (s *Surface) read(c *gin.Context, required bool) (*jsonbody.Object, bool) {
	if !required && c.Request.ContentLength == 0 {
		return &jsonbody.Object{}, true
	}
	in, f := jsonbody.Read(c)
	if f != nil {
		refuse(c, *f)
	}
	return in, f == nil
}

// object reads a body that becomes a record of the desired state.
func (s *Surface) object(c *gin.Context) (map[string]any, bool) {
	in, ok := s.read(c, true)
	if !ok {
		return nil, false
	}
	return in.Members, true
}

// valid refuses a body with faults. Members that the call does not know are faults (H-12).
func (s *Surface) valid(c *gin.Context, in *jsonbody.Object) bool {
	in.Unknown()
	if len(in.Faults) > 0 {
		s.fail(c, in.Faults)
	}
	return len(in.Faults) == 0
}

// knownQuery refuses parameters that a call does not know, and repeated ones.
func (s *Surface) knownQuery(c *gin.Context, known []string) bool {
	for name, values := range c.Request.URL.Query() {
		if !slices.Contains(known, name) {
			badParameter(c, name, "there is no such parameter")
			return false
		}
		if len(values) > 1 {
			badParameter(c, name, "must not be repeated")
			return false
		}
	}
	return true
}

// badParameter refuses a parameter.
func badParameter(c *gin.Context, name, text string) {
	Problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Parameter: name, Detail: name + ": " + text}.Write(c)
}

// flag reads a parameter that is true or false; false if it was left out.
func (s *Surface) flag(c *gin.Context, name string) (yes, ok bool) {
	switch c.Query(name) {
	case "", "false":
		return false, true
	case "true":
		return true, true
	}
	badParameter(c, name, "must be true or false")
	return false, false
}

// Sizes of a page.
const (
	pageDefault = 100
	pageMost    = 1000
)

func (s *Surface) limit(c *gin.Context) (int, bool) {
	text, sent := c.GetQuery("limit")
	if !sent {
		return pageDefault, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > pageMost {
		badParameter(c, "limit", "must be from 1 to "+strconv.Itoa(pageMost))
		return 0, false
	}
	return n, true
}

func (s *Surface) moment(c *gin.Context, name string) (time.Time, bool) {
	text := c.Query(name)
	if text == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		badParameter(c, name, "must be a time such as 2027-01-31T18:00:00Z")
	}
	return t, err == nil
}
