package cidaas

import (
	"mime"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/jsonbody"
)

const formType = "application/x-www-form-urlencoded"

// input is the body of a call. Members that no call reads are ignored, null counts as
// left out.
type input struct{ *jsonbody.Object }

// first returns the first of several members that is not empty.
func (in *input) first(names ...string) string {
	found := ""
	for _, name := range names {
		if text := in.Text(name); found == "" {
			found = text
		}
	}
	return found
}

// faulty reports whether a member that was read is not a string.
func (in *input) faulty() bool { return len(in.Faults) > 0 }

// identifier is the user a call names, under one of several members.
func (in *input) identifier() string {
	return in.first("identifier", "email", "mobile_number", "username")
}

// masked is the masked subject a call names.
func (in *input) masked() string { return in.first("sub", "q") }

// request is the request a call names.
func (in *input) request() storage.RequestID {
	return requestID(in.first("requestId", "request_id"))
}

var (
	wrongType = web.Fault{Status: http.StatusUnsupportedMediaType, Code: web.CodeMediaType, Reason: "unsupported content type"}
	tooLong   = web.Fault{Status: http.StatusRequestEntityTooLarge, Code: web.CodeTooLong, Reason: "the body is too large"}
	malformed = web.Fault{Status: http.StatusBadRequest, Code: web.CodeMalformedBody, Reason: "malformed request body"}
)

// read reads the body of a call: JSON or, with forms, a form. The libraries always claim
// to send JSON, even with an empty body.
func read(c *gin.Context, forms bool) (*input, *web.Fault) {
	if kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err == nil && kind == formType && forms {
		in := &input{&jsonbody.Object{Members: map[string]any{}}}
		for name, values := range c.Request.PostForm {
			if len(values) > 1 {
				return nil, &malformed
			}
			in.Members[name] = present(values[0])
		}
		return in, nil
	}
	object, f := jsonbody.ReadAny(c)
	if f != nil {
		for _, own := range []web.Fault{wrongType, tooLong} {
			if f.Status == own.Status {
				return nil, &own
			}
		}
		return nil, &malformed
	}
	object.NullIsAbsent = true
	return &input{object}, nil
}

// present returns "" for the words that the libraries write into a form for no value.
func present(text string) string {
	if text == "undefined" || text == "null" {
		return ""
	}
	return text
}

// formOf converts a body to a form for an OAuth endpoint; every member must be a string.
func formOf(in *input) (url.Values, bool) {
	form := url.Values{}
	for name := range in.Members {
		if text := present(in.Text(name)); text != "" {
			form.Set(name, text)
		}
	}
	return form, !in.faulty()
}
