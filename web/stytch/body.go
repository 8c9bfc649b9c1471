package stytch

import (
	"encoding/json"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/web/jsonbody"
)

// input is the body of a call. Members that no call reads are ignored, null counts as left
// out.
type input struct{ *jsonbody.Object }

// read reads the body of a call; SDKs send one even with DELETE, but none with GET.
func read(c *gin.Context) (input, error) {
	object, f := jsonbody.ReadAny(c)
	if f != nil {
		return input{}, engineFault(f.Status, f.Reason)
	}
	object.NullIsAbsent = true
	return input{object}, nil
}

// fault returns an error if a member that was read has the wrong type.
func (in input) fault() error {
	if len(in.Faults) > 0 {
		return &fault{badRequest, in.Faults}
	}
	return nil
}

// has reports whether a member was sent.
func (in input) has(name string) bool { return in.Members[name] != nil }

// part returns a nested object; an empty one if it was left out.
func (in input) part(name string) input {
	if o := in.Object.Object(name); o != nil {
		return input{o}
	}
	return input{&jsonbody.Object{}}
}

// claims returns a nested object whose members stay as they were sent, null included; nil if it
// was left out.
func (in input) claims(name string) map[string]json.RawMessage {
	o := in.Object.Object(name)
	if o == nil {
		return nil
	}
	out := make(map[string]json.RawMessage, len(o.Members))
	for key, value := range o.Members {
		text, err := json.Marshal(value)
		if err != nil {
			o.Fault(key, "cannot be represented")
		}
		out[key] = text
	}
	return out
}

// maybe returns a string, or nil if it was left out.
func (in input) maybe(name string) *string {
	text := in.Text(name)
	if !in.has(name) {
		return nil
	}
	return &text
}

// minutes returns a number of minutes within a range, or fallback if it was left out.
func (in input) minutes(name string, least, most, fallback int64, outside refusal) (time.Duration, error) {
	n, sent := in.Integer(name)
	if !sent {
		n = fallback
	} else if n < least || n > most {
		return 0, &fault{outside, nil}
	}
	return time.Duration(n) * time.Minute, nil
}
