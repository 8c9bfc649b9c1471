package provider

import (
	"net/url"
	"strings"

	"sallyport/storage"
)

// Params are the parameters of a request in the browser, as they came: query and
// body apart, because nothing may stand in both (RFC 6749 section 3.1).
type Params struct{ Query, Form url.Values }

// Answer goes to the client through the browser: a redirect, or a form that posts itself.
type Answer struct {
	Location string
	FormPost *FormPost
	// Fields are the parameters of the answer, for programs that follow no redirect.
	Fields [][2]string
}

// FormPost is an answer in the response mode form_post (OAuth 2.0 Form Post Response
// Mode). Fields keep their order.
type FormPost struct {
	Action string
	Fields [][2]string
}

// PageError is a refusal that must not be redirected, because client or redirect
// address are not known to be good (RFC 6749 section 4.1.2.1). It is shown to the
// person in the browser.
type PageError struct {
	Code        string // an OAuth error code
	Description string
	Parameter   string // the offending one; "" none
}

func (e *PageError) Error() string {
	text := "provider: " + e.Code
	if e.Parameter != "" {
		text += ": " + e.Parameter
	}
	return text + ": " + e.Description
}

// Finished is a login that ended in an answer to the client.
type Finished struct {
	Answer Answer
	// Session is the session to keep in the browser; nil: leave its cookie alone.
	Session      *storage.Session
	SessionToken string
	User         storage.UserID
}

// response modes, OAuth 2.0 Multiple Response Type Encoding Practices section 2.1 and
// OAuth 2.0 Form Post Response Mode.
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
)

// answer writes parameters for the client into its redirect address, together with
// state as it came and iss (RFC 9207 section 2).
func (p *Provider) answer(r *request, fields ...[2]string) Answer {
	if r.state != "" {
		fields = append(fields, [2]string{"state", r.state})
	}
	fields = append(fields, [2]string{"iss", p.options.Issuer})
	switch r.mode {
	case modeFormPost:
		return Answer{Fields: fields, FormPost: &FormPost{Action: r.redirect, Fields: fields}}
	case modeFragment:
		return Answer{Fields: fields, Location: r.redirect + "#" + encode(fields)}
	}
	return Answer{Fields: fields, Location: appendQuery(r.redirect, encode(fields))}
}

// refuse is the error response of RFC 6749 section 4.1.2.1.
func (p *Provider) refuse(r *request, e *oauthError) Answer {
	fields := [][2]string{{"error", e.code}}
	if d := legal(e.description); d != "" {
		fields = append(fields, [2]string{"error_description", d})
	}
	return p.answer(r, fields...)
}

// encode writes parameters in their order as application/x-www-form-urlencoded.
func encode(fields [][2]string) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(f[0]))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(f[1]))
	}
	return b.String()
}

// appendQuery keeps a query the client registered with its address (RFC 6749 section 3.1.2).
func appendQuery(uri, query string) string {
	if query == "" {
		return uri
	}
	switch at := strings.IndexByte(uri, '?'); {
	case at < 0:
		return uri + "?" + query
	case at == len(uri)-1 || strings.HasSuffix(uri, "&"):
		return uri + query
	}
	return uri + "&" + query
}

// legal leaves only the characters RFC 6749 section 5.2 allows in error_description.
func legal(text string) string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c == '"':
			return '\''
		case c < 0x20 || c > 0x7e || c == '\\':
			return -1
		}
		return c
	}, text)
	if len(clean) > 300 {
		clean = clean[:300]
	}
	return strings.TrimSpace(clean)
}
