package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/web"
)

// input is the JSON object a call came with. Members nobody asks for are ignored, so
// that a newer caller can talk to an older server. What is asked for must have its
// type; the first that has not is remembered.
type input struct {
	members map[string]any
	wrong   string // name of the member that is missing or of another type
}

// text returns a string; "" where it was left out.
func (in *input) text(name string) string {
	value, sent := in.members[name]
	text, ok := value.(string)
	if sent && !ok {
		in.fault(name)
	}
	return text
}

// texts returns the strings of a list, or the one that stands without one.
func (in *input) texts(name string) []string {
	list, ok := in.members[name].([]any)
	if !ok {
		return []string{in.text(name)}
	}
	var out []string
	for _, value := range list {
		text, ok := value.(string)
		if !ok {
			in.fault(name)
		}
		out = append(out, text)
	}
	return out
}

// must returns a string that can not be left out.
func (in *input) must(name string) string {
	text := in.text(name)
	if text == "" {
		in.fault(name)
	}
	return text
}

// truth returns a true or false that can not be left out.
func (in *input) truth(name string) bool {
	yes, ok := in.members[name].(bool)
	if !ok {
		in.fault(name)
	}
	return yes
}

func (in *input) fault(name string) {
	if in.wrong == "" {
		in.wrong = name
	}
}

// read takes the body of a call. A page of another origin can send JSON only after a
// preflight, so the type is demanded to the letter (H-8).
func (s *Surface) read(c *gin.Context) (*input, bool) {
	kind, params, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		s.problem(c, problem{Status: http.StatusUnsupportedMediaType, Code: "invalid_request", Detail: "The Content-Type must be application/json."})
		return nil, false
	}
	text, err := io.ReadAll(c.Request.Body)
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		s.problem(c, problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Detail: "The body is longer than 64 KiB."})
		return nil, false
	}
	var members map[string]any
	if err == nil {
		members, err = web.Object(text)
	}
	if err != nil {
		s.problem(c, problem{Status: http.StatusBadRequest, Code: "invalid_request", Detail: "The body is not one JSON object of text, without repeated names."})
		return nil, false
	}
	return &input{members: members}, true
}
