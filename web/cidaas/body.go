package cidaas

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/web"
)

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// input is what a call came with. Members nobody asks for are ignored; those asked for
// are texts, and the first that is not is remembered.
type input struct {
	members map[string]any
	wrong   string
}

// text returns a member; "" where it was left out.
func (in *input) text(name string) string {
	value, sent := in.members[name]
	text, ok := value.(string)
	if sent && value != nil && !ok && in.wrong == "" {
		in.wrong = name
	}
	return text
}

// first returns the first of several members that is not left out.
func (in *input) first(names ...string) string {
	found := ""
	for _, name := range names {
		if text := in.text(name); found == "" {
			found = text
		}
	}
	return found
}

// fault is why a body is refused: an HTTP status and a text.
type fault struct {
	status int
	text   string
}

var (
	wrongType = &fault{http.StatusUnsupportedMediaType, "unsupported content type"}
	tooLong   = &fault{http.StatusRequestEntityTooLarge, "the body is too large"}
	malformed = &fault{http.StatusBadRequest, "malformed request body"}
)

// read takes the body of a call: JSON, or a form where forms are taken. The libraries
// always say that they send JSON, bodies of length nothing included. A page of another
// origin can send JSON only after a preflight (H-8).
func read(c *gin.Context, forms bool) (*input, *fault) {
	in := &input{members: map[string]any{}}
	header := c.GetHeader("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	if err == nil && kind == formType && forms {
		for name, values := range c.Request.PostForm {
			if len(values) > 1 {
				return nil, malformed
			}
			in.members[name] = present(values[0])
		}
		return in, nil
	}
	text, err := io.ReadAll(c.Request.Body)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, tooLong
	case err != nil:
		return nil, malformed
	case kind != jsonType && (header != "" || len(text) > 0):
		return nil, wrongType
	case len(bytes.TrimSpace(text)) == 0:
		return in, nil
	}
	if in.members, err = web.Object(text); err != nil {
		return nil, malformed
	}
	return in, nil
}

// present takes for nothing what the libraries write into a form for nothing.
func present(text string) string {
	if text == "undefined" || text == "null" {
		return ""
	}
	return text
}

// formOf writes a body as the form OAuth endpoints take; every member must be text.
func formOf(in *input) (url.Values, bool) {
	form := url.Values{}
	for name, value := range in.members {
		text, ok := value.(string)
		if !ok && value != nil {
			return nil, false
		}
		if text = present(text); text != "" {
			form.Set(name, text)
		}
	}
	return form, true
}
