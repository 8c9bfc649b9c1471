package cidaas

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// Limits of a body (H-9). Its length is bounded by the engine.
const (
	maxDepth   = 16
	maxMembers = 100
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
	if in.members, err = parse(text); err != nil {
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

var errBody = errors.New("cidaas: not a JSON object we take")

// parse reads one JSON object and nothing after it, without repeated names on any
// level: two readers must not understand two things (RFC 8259 section 4).
func parse(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errBody
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := element(d, 0)
	members, ok := value.(map[string]any)
	if err != nil || !ok || len(members) > maxMembers {
		return nil, errBody
	}
	return members, nil
}

func element(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errBody
	}
	opens, ok := token.(json.Delim)
	if !ok {
		if text, ok := token.(string); ok && strings.IndexByte(text, 0) >= 0 {
			return nil, errBody
		}
		return token, nil
	}
	if depth++; depth > maxDepth {
		return nil, errBody
	}
	members, list := map[string]any{}, []any{}
	for d.More() {
		name := ""
		if opens == '{' {
			key, err := element(d, depth)
			if err != nil {
				return nil, err
			}
			name, _ = key.(string)
			if _, twice := members[name]; twice {
				return nil, errBody
			}
		}
		value, err := element(d, depth)
		if err != nil {
			return nil, err
		}
		members[name], list = value, append(list, value)
	}
	if _, err := d.Token(); err != nil {
		return nil, errBody
	}
	if opens == '{' {
		return members, nil
	}
	return list, nil
}
