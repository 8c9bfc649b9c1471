package streambird

import (
	"fmt"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/backend"
	"sallyport/web/jsonbody"
)

// longestText is the length of a name or a member of a fingerprint, in bytes.
const longestText = 255

// body is the object that a call brings. Members that no call reads are ignored, null counts
// as left out.
type body struct{ *jsonbody.Object }

// read reads the body of a call. A call without a body is one without members: the Python
// library sends none instead of an empty object.
func read(c *gin.Context) (body, error) {
	in, f := jsonbody.ReadAny(c)
	if f != nil {
		return body{}, refusalOf(f.Status, f.Reason)
	}
	in.NullIsAbsent = true
	return body{in}, nil
}

// fault returns the refusal of a body whose members are not valid. A call asks for it after
// the last member.
func (b body) fault() error {
	if len(b.Faults) == 0 {
		return nil
	}
	return invalid(b.Faults[0].Field + " " + b.Faults[0].Detail)
}

// short returns a string of at most longestText bytes; nil if it was left out.
func short(in *jsonbody.Object, name string) *string {
	if in.Members[name] == nil {
		return nil
	}
	text := in.Text(name)
	if len(text) > longestText {
		in.Fault(name, fmt.Sprintf("must be at most %d bytes", longestText))
	}
	return &text
}

// whole returns a whole number between two others; or, if it was left out, another.
func (b body) whole(name string, least, most, otherwise int64) int64 {
	n, sent := b.Integer(name)
	if !sent {
		return otherwise
	}
	if n < least || n > most {
		b.Fault(name, fmt.Sprintf("must be %d to %d", least, most))
	}
	return n
}

// minutes returns a number of minutes as whole does.
func (b body) minutes(name string, least, most, otherwise int64) time.Duration {
	return time.Duration(b.whole(name, least, most, otherwise)) * time.Minute
}

// addresses returns a list of addresses, each a string or an object with the address as a
// member.
func (b body) addresses(list, member string) []string {
	out := b.ListOf(list, member)
	for _, address := range out {
		if address == "" {
			b.Fault(list, "must have no empty entries")
		}
	}
	return out
}

// name returns the parts of a name.
func (b body) name() backend.Name {
	return backend.Name{First: short(b.Object, "first_name"), Middle: short(b.Object, "middle_name"), Last: short(b.Object, "last_name")}
}

// fingerprint returns the user's device.
func (b body) fingerprint() backend.Fingerprint {
	var f backend.Fingerprint
	in := b.Object.Object("device_fingerprint")
	if in == nil {
		return f
	}
	if ip := short(in, "ip"); ip != nil {
		f.IP = *ip
	}
	if agent := short(in, "user_agent"); agent != nil {
		f.UserAgent = *agent
	}
	return f
}
