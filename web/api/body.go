package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// Limits of a body (H-9). Its length is bounded by the engine.
const (
	maxDepth   = 16
	maxMembers = 100
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
		members, err = parse(text)
	}
	if err != nil {
		s.problem(c, problem{Status: http.StatusBadRequest, Code: "invalid_request", Detail: "The body is not one JSON object of text, without repeated names."})
		return nil, false
	}
	return &input{members: members}, true
}

var errBody = errors.New("api: not a JSON object we take")

// parse reads one JSON object and nothing after it. Two readers of one text must not
// understand two things: repeated names are refused on every level (RFC 8259 section
// 4), and so is what is not text (H-9). Names count to the letter.
func parse(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errBody
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := element(d, 0)
	if err != nil {
		return nil, err
	}
	members, ok := value.(map[string]any)
	if !ok || len(members) > maxMembers {
		return nil, errBody
	}
	return members, nil
}

// element reads one value.
func element(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errBody
	}
	switch t := token.(type) {
	case string:
		if strings.IndexByte(t, 0) >= 0 {
			return nil, errBody
		}
		return t, nil
	case json.Delim:
		if depth++; depth > maxDepth {
			return nil, errBody
		}
		if t == '{' {
			return object(d, depth)
		}
		return list(d, depth)
	}
	return token, nil
}

func object(d *json.Decoder, depth int) (any, error) {
	out := map[string]any{}
	for d.More() {
		name, err := element(d, depth)
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		if _, twice := out[key]; twice {
			return nil, errBody
		}
		if out[key], err = element(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return out, err
}

func list(d *json.Decoder, depth int) (any, error) {
	out := []any{}
	for d.More() {
		value, err := element(d, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	_, err := d.Token()
	return out, err
}
