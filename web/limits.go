package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"sallyport/input"
)

// limits refuses oversized and malformed requests (H-8, H-9). It parses and checks a form
// for all surfaces; any other body is cut off at the limit.
func (s *server) limits(c *gin.Context) {
	kind, unclear := form, error(nil)
	if sent := c.GetHeader("Content-Type"); sent != form {
		kind, _, unclear = mime.ParseMediaType(sent)
	}
	most := s.o.MaxBody
	if unclear == nil && kind == form {
		most = maxBody // also where other bodies may be longer: forms are read before authentication
	}
	query, f := checkHead(c.Request, most)
	if f != nil {
		s.refuse(c, *f)
		return
	}
	callOf(c).query = query
	var w http.ResponseWriter = c.Writer
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		w = u.Unwrap() // net/http's writer closes the connection if the body is too long
	}
	c.Request.Body = http.MaxBytesReader(w, c.Request.Body, most)
	if f := checkForm(c.Request, query, kind, unclear); f != nil {
		s.refuse(c, *f)
		return
	}
	switch {
	case c.Request.PostForm != nil:
		c.Request.Body = http.NoBody // it is read
	case c.Request.ContentLength != 0 && most <= maxBody: // the admin API reads longer bodies after authentication
		c.Request.Body = whole(c.Request.Body, c.Request.ContentLength)
	}
	c.Next()
}

// form is the media type of forms.
const form = "application/x-www-form-urlencoded"

// readAll reads a body that says how long it is, at once if it is as short as most forms.
func readAll(body io.Reader, length int64) ([]byte, error) {
	const short = 4 << 10 // callers say what they like
	b := bytes.NewBuffer(make([]byte, 0, min(max(length, 0), short)+bytes.MinRead))
	_, err := b.ReadFrom(body)
	return b.Bytes(), err
}

// whole reads a body before the deadline of the request begins: a slow caller must not get
// the response for a slow server. The handler gets an error when it reads the body.
func whole(body io.ReadCloser, length int64) io.ReadCloser {
	text, err := readAll(body, length)
	if err != nil {
		return io.NopCloser(io.MultiReader(bytes.NewReader(text), broken{err}))
	}
	return io.NopCloser(bytes.NewReader(text))
}

// broken is a body that ends in an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// checkHead returns the parameters in the address, or what is wrong with the request.
func checkHead(r *http.Request, most int64) (url.Values, *Fault) {
	if len(r.RequestURI) > maxURL || len(r.URL.RawQuery) > maxURL {
		return nil, tooLong(r.URL.RawQuery)
	}
	if !clean(r.URL.Path) {
		return nil, &Fault{Status: http.StatusBadRequest, Code: CodeMalformedAddress, Reason: "the address is not valid text"}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, &Fault{Status: http.StatusUnsupportedMediaType, Code: CodeMediaType, Reason: "an encoded body is not accepted"}
	}
	if r.ContentLength > most {
		return nil, &Fault{Status: http.StatusRequestEntityTooLarge, Code: CodeTooLong, Reason: "the body is too long"}
	}
	if parameters(r.URL.RawQuery) > maxParams {
		return nil, &Fault{Status: http.StatusBadRequest, Code: CodeTooMany, Reason: "there are too many parameters"}
	}
	query, err := input.Form(r.URL.RawQuery)
	if err != nil || !cleanAll(query) {
		return nil, &Fault{Status: http.StatusBadRequest, Code: CodeMalformedQuery, Reason: "the query is not valid text"}
	}
	return query, nil
}

// plainName is a parameter's name that can be shown.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// tooLong refuses an address, and names the parameter that makes it so long.
func tooLong(query string) *Fault {
	f := &Fault{Status: http.StatusRequestURITooLong, Code: CodeAddressTooLong, Reason: "the address is longer than 16 KiB"}
	longest := 0
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); len(value) > longest {
			longest, f.Parameter = len(value), name
		}
	}
	if !plainName.MatchString(f.Parameter) {
		f.Parameter = ""
		return f
	}
	f.Reason += ", most of it the parameter " + f.Parameter
	return f
}

func checkForm(r *http.Request, query url.Values, kind string, unclear error) *Fault {
	if r.Method != http.MethodPost && r.Method != http.MethodPut && r.Method != http.MethodPatch {
		return nil
	}
	if unclear != nil && r.Header.Get("Content-Type") != "" || strings.HasPrefix(kind, "multipart/") {
		return &Fault{Status: http.StatusUnsupportedMediaType, Code: CodeMediaType, Reason: "this content type is not accepted"}
	}
	if kind != form {
		return nil
	}
	err := parseForm(r, query)
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return &Fault{Status: http.StatusRequestEntityTooLarge, Code: CodeTooLong, Reason: "the body is too long"}
	}
	if err != nil && !errors.Is(err, errTooMany) || !cleanAll(r.PostForm) {
		return &Fault{Status: http.StatusBadRequest, Code: CodeMalformedForm, Reason: "the form is not valid text"}
	}
	if err != nil {
		return &Fault{Status: http.StatusBadRequest, Code: CodeTooMany, Reason: "there are too many parameters"}
	}
	return nil
}

var errTooMany = errors.New("too many parameters")

// parseForm does what Request.ParseForm does, without parsing the query again. It counts the
// parameters before it makes anything of them.
func parseForm(r *http.Request, query url.Values) error {
	body, err := readAll(r.Body, r.ContentLength)
	if err != nil {
		return err
	}
	text := string(body)
	if parameters(text)+parameters(r.URL.RawQuery) > maxParams {
		return errTooMany
	}
	form, err := input.Form(text)
	if err != nil {
		return err
	}
	if r.PostForm, r.Form = form, form; len(query) == 0 {
		return nil
	}
	r.Form = make(url.Values, len(form)+len(query))
	for _, part := range []url.Values{form, query} {
		for name, values := range part {
			if before, ok := r.Form[name]; ok {
				values = append(before, values...)
			}
			r.Form[name] = slices.Clip(values)
		}
	}
	return nil
}

// parameters counts those of an address or a form before any of them is parsed.
func parameters(text string) int {
	if text == "" {
		return 0
	}
	return strings.Count(text, "&") + 1
}

func cleanAll(values url.Values) bool {
	for k, vs := range values {
		if !clean(k) {
			return false
		}
		for _, v := range vs {
			if !clean(v) {
				return false
			}
		}
	}
	return true
}

// clean reports whether a text is UTF-8 without NUL, as databases require.
func clean(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }
