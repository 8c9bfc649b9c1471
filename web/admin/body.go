package admin

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
)

// jsonMost is how long a body other than a desired state may be (H-9).
const jsonMost = 64 << 10

// text reads a body of a type (H-8). false: it was refused.
func (s *Surface) text(c *gin.Context, want string, most int64) ([]byte, bool) {
	kind, params, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	charset := params["charset"]
	if err != nil || kind != want || charset != "" && charset != "utf-8" && charset != "UTF-8" {
		s.problem(c, Problem{Status: http.StatusUnsupportedMediaType, Code: string(mfa.InvalidRequest), Detail: "the Content-Type must be " + want})
		return nil, false
	}
	text, err := io.ReadAll(http.MaxBytesReader(nil, c.Request.Body, most))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		s.problem(c, Problem{Status: http.StatusRequestEntityTooLarge, Code: string(mfa.InvalidRequest), Detail: "the body is too long"})
		return nil, false
	case err != nil:
		s.problem(c, Problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Detail: "the body cannot be read"})
		return nil, false
	}
	return text, true
}

// object reads a body that is one JSON object.
func (s *Surface) object(c *gin.Context) (map[string]any, bool) {
	text, ok := s.text(c, "application/json", jsonMost)
	if !ok {
		return nil, false
	}
	members, err := web.Object(text)
	if err != nil {
		s.problem(c, Problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Detail: "the body is not one JSON object of text, without repeated names"})
		return nil, false
	}
	return members, true
}

// input is a body whose members are asked for one by one. Faults of all of them are told
// together.
type input struct {
	members map[string]any
	known   []string
	faults  Faults
}

// read reads a body for asking. Calls whose every member may be left out do without one.
func (s *Surface) read(c *gin.Context, needed bool) (*input, bool) {
	if !needed && c.Request.ContentLength == 0 {
		return &input{}, true
	}
	members, ok := s.object(c)
	return &input{members: members}, ok
}

func (in *input) fault(name, text string) {
	in.faults = append(in.faults, Fault{Field: name, Detail: text})
}

func (in *input) get(name string) (any, bool) {
	in.known = append(in.known, name)
	value, sent := in.members[name]
	return value, sent
}

// word returns a text; "" where it was left out.
func (in *input) word(name string) string {
	value, sent := in.get(name)
	text, ok := value.(string)
	if sent && !ok {
		in.fault(name, "must be text")
	}
	return text
}

// words returns a list of texts.
func (in *input) words(name string) []string {
	value, sent := in.get(name)
	if !sent {
		return nil
	}
	list, ok := value.([]any)
	var out []string
	for _, x := range list {
		text, isText := x.(string)
		ok = ok && isText
		out = append(out, text)
	}
	if !ok {
		in.fault(name, "must be a list of texts")
	}
	return out
}

// truth returns true or false; false where it was left out.
func (in *input) truth(name string) bool {
	value, sent := in.get(name)
	yes, ok := value.(bool)
	if sent && !ok {
		in.fault(name, "must be true or false")
	}
	return yes
}

// moment returns a time; the zero one where it was left out.
func (in *input) moment(name string) time.Time {
	text := in.word(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		in.fault(name, "must be a time such as 2027-01-31T18:00:00Z")
	}
	return t
}

// done answers a body with faults. Members nobody asked for are faults (H-12).
func (s *Surface) done(c *gin.Context, in *input) bool {
	for name := range in.members {
		if !slices.Contains(in.known, name) {
			in.fault(name, "there is no such key")
		}
	}
	if len(in.faults) == 0 {
		return true
	}
	s.fail(c, in.faults)
	return false
}

// asked refuses parameters a call does not take, and those that repeat.
func (s *Surface) asked(c *gin.Context, known []string) bool {
	for name, values := range c.Request.URL.Query() {
		if !slices.Contains(known, name) {
			s.unknown(c, name, "there is no such parameter")
			return false
		}
		if len(values) > 1 {
			s.unknown(c, name, "is there twice")
			return false
		}
	}
	return true
}

// unknown answers a parameter that cannot be taken.
func (s *Surface) unknown(c *gin.Context, name, text string) {
	s.problem(c, Problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Parameter: name, Detail: name + ": " + text})
}

// flag reads a parameter that is true or false; left out: false.
func (s *Surface) flag(c *gin.Context, name string) (yes, ok bool) {
	switch c.Query(name) {
	case "", "false":
		return false, true
	case "true":
		return true, true
	}
	s.unknown(c, name, "must be true or false")
	return false, false
}

// Bounds of a page.
const (
	pageUsual = 100
	pageMost  = 1000
)

func (s *Surface) limit(c *gin.Context) (int, bool) {
	text, sent := c.GetQuery("limit")
	if !sent {
		return pageUsual, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > pageMost {
		s.unknown(c, "limit", "must be from 1 to "+strconv.Itoa(pageMost))
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
		s.unknown(c, name, "must be a time such as 2027-01-31T18:00:00Z")
	}
	return t, err == nil
}
