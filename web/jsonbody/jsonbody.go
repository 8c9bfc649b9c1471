// Package jsonbody reads the JSON object that a call brings: content type, length,
// strict syntax, then one typed member after the other.
package jsonbody

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/input"
	"sallyport/web"
	"sallyport/web/problem"
)

// Type is the media type of a body.
const Type = "application/json"

// maxLength is the length of an object (H-9).
const maxLength = 64 << 10

// Text reads a body of one media type and of at most so many bytes. A page of another
// origin can send any type but that of a form only after a preflight (H-8).
func Text(c *gin.Context, mediaType string, most int64) ([]byte, *web.Fault) {
	kind, params, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != mediaType || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, &web.Fault{Status: http.StatusUnsupportedMediaType, Code: web.CodeMediaType, Reason: "the Content-Type must be " + mediaType}
	}
	return read(c, most)
}

func read(c *gin.Context, most int64) ([]byte, *web.Fault) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, c.Request.Body, most))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, &web.Fault{Status: http.StatusRequestEntityTooLarge, Code: web.CodeTooLong, Reason: fmt.Sprintf("the body is longer than %d KiB", most>>10)}
	case err != nil:
		return nil, &web.Fault{Status: http.StatusBadRequest, Code: web.CodeMalformedBody, Reason: "the body cannot be read"}
	}
	return text, nil
}

// Read reads a body that is one JSON object.
func Read(c *gin.Context) (*Object, *web.Fault) {
	text, f := Text(c, Type, maxLength)
	if f != nil {
		return nil, f
	}
	return newObject(text)
}

// ReadAny reads a body like Read, also one without content type or content: an empty
// object.
func ReadAny(c *gin.Context) (*Object, *web.Fault) {
	text, f := read(c, maxLength)
	header := c.GetHeader("Content-Type")
	kind, _, _ := mime.ParseMediaType(header)
	switch {
	case f != nil:
		return nil, f
	case kind != Type && (header != "" || len(text) > 0):
		return nil, &web.Fault{Status: http.StatusUnsupportedMediaType, Code: web.CodeMediaType, Reason: "the Content-Type must be " + Type}
	case strings.TrimSpace(string(text)) == "":
		return &Object{Members: map[string]any{}}, nil
	}
	return newObject(text)
}

func newObject(text []byte) (*Object, *web.Fault) {
	members, err := input.Object(text)
	if err != nil {
		return nil, &web.Fault{Status: http.StatusBadRequest, Code: web.CodeMalformedBody, Reason: "the body must be one JSON object in UTF-8, without repeated names"}
	}
	return &Object{Members: members}, nil
}

// Object is a JSON object whose members are read one by one. A member of the wrong type
// is a fault; the caller checks the faults once, after the last member.
type Object struct {
	Members map[string]any
	Faults  problem.Faults // those of nested objects too
	// NullIsAbsent makes a member that is null the same as one that was left out.
	NullIsAbsent bool

	read   []string // names of the members that were read
	within *Object  // the object that this one is a member of; nil: none
	prefix string   // of names in faults
}

// Fault records an error in a member.
func (o *Object) Fault(name, detail string) {
	if o.within != nil {
		o.within.Fault(o.prefix+name, detail)
		return
	}
	o.Faults = append(o.Faults, problem.Fault{Field: name, Detail: detail})
}

func (o *Object) member(name string) (any, bool) {
	o.read = append(o.read, name)
	value, sent := o.Members[name]
	if value == nil && o.NullIsAbsent {
		return nil, false
	}
	return value, sent
}

// Text returns a string; "" if it was left out.
func (o *Object) Text(name string) string {
	value, sent := o.member(name)
	text, ok := value.(string)
	if sent && !ok {
		o.Fault(name, "must be text")
	}
	return text
}

// Required returns a string that must not be empty or left out.
func (o *Object) Required(name string) string {
	text := o.Text(name)
	if text == "" {
		o.Fault(name, "is required")
	}
	return text
}

// List returns a list of strings.
func (o *Object) List(name string) []string {
	value, sent := o.member(name)
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
		o.Fault(name, "must be a list of texts")
	}
	return out
}

// Integer returns a whole number, however it is written; false if it was left out.
func (o *Object) Integer(name string) (int64, bool) {
	value, sent := o.member(name)
	if !sent {
		return 0, false
	}
	number, _ := value.(json.Number)
	n, ok := integer(string(number))
	if !ok {
		o.Fault(name, "must be a whole number")
		return 0, false
	}
	return n, true
}

// integer returns a whole number, also one such as 60.0 or 6e1: JSON does not tell them apart
// (RFC 8259 section 6), and languages write a quotient like that.
func integer(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// Objects returns a list of objects. Their faults are those of the outer one.
func (o *Object) Objects(name string) []*Object {
	value, sent := o.member(name)
	list, ok := value.([]any)
	var out []*Object
	for i, x := range list {
		members, isObject := x.(map[string]any)
		ok = ok && isObject
		out = append(out, &Object{Members: members, NullIsAbsent: o.NullIsAbsent, within: o, prefix: fmt.Sprintf("%s[%d].", name, i)})
	}
	if sent && !ok {
		o.Fault(name, "must be a list of objects")
	}
	return out
}

// Object returns a nested object; nil if it was left out. Its faults are those of the outer one.
func (o *Object) Object(name string) *Object {
	value, sent := o.member(name)
	members, ok := value.(map[string]any)
	if sent && !ok {
		o.Fault(name, "must be an object")
	}
	if !ok {
		return nil
	}
	return &Object{Members: members, NullIsAbsent: o.NullIsAbsent, within: o, prefix: name + "."}
}

// ListOf returns a list of strings, each of which may be the member key of an object instead.
func (o *Object) ListOf(name, key string) []string {
	value, sent := o.member(name)
	list, ok := value.([]any)
	if sent && !ok {
		o.Fault(name, "must be a list")
	}
	var out []string
	for i, x := range list {
		if text, isText := x.(string); isText {
			out = append(out, text)
			continue
		}
		members, isObject := x.(map[string]any)
		if !isObject {
			o.Fault(name, "must be a list of texts or objects")
			return nil
		}
		entry := Object{Members: members, NullIsAbsent: o.NullIsAbsent, within: o, prefix: fmt.Sprintf("%s[%d].", name, i)}
		out = append(out, entry.Required(key))
	}
	return out
}

// Flag returns true or false; false if it was left out.
func (o *Object) Flag(name string) bool {
	value, sent := o.member(name)
	yes, ok := value.(bool)
	if sent && !ok {
		o.Fault(name, "must be true or false")
	}
	return yes
}

// Time returns a time (RFC 3339); zero if it was left out.
func (o *Object) Time(name string) time.Time {
	text := o.Text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		o.Fault(name, "must be a time such as 2027-01-31T18:00:00Z")
	}
	return t
}

// Unknown records a fault for every member that was not read (H-12), without its name: a file
// of an operator may have a secret there.
func (o *Object) Unknown() {
	for _, name := range slices.Sorted(maps.Keys(o.Members)) {
		if !slices.Contains(o.read, name) {
			o.Fault("", input.NoSuchKey(name, o.read))
		}
	}
}
