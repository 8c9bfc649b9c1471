package cidaas

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider/signing"
	"sallyport/web"
	"sallyport/web/jsonbody"
)

// keySet is the dialect's address of the key set.
const keySet = "/.well-known/jwks.json"

// documentAge is how long the key set may be cached, as at its standard address.
const documentAge = "public, max-age=300"

// mountOAuth adds the dialect's addresses of OAuth endpoints, which accept JSON and return
// additional members.
func (s *Surface) mountOAuth(r gin.IRouter) {
	for path, serve := range map[string]gin.HandlerFunc{
		"/token-srv/token": s.token, "/token-srv/introspect": s.introspect, "/token-srv/revoke": s.revoke, "/users-srv/userinfo": s.userinfo,
	} {
		r.POST(path, serve)
	}
	r.GET("/users-srv/userinfo", s.userinfo)
	r.GET(keySet, s.keys)
}

func (s *Surface) keys(c *gin.Context) {
	set := s.provider.JWKS()
	c.Header("Cache-Control", documentAge)
	c.Header("ETag", set.ETag)
	if c.GetHeader("If-None-Match") == set.ETag {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	c.Data(http.StatusOK, "application/json", set.Body)
}

// endpoint is an endpoint of the provider.
type endpoint func(http.ResponseWriter, *http.Request, mfa.Caller)

// response is a response before it is sent.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *response) Header() http.Header         { return w.header }
func (w *response) WriteHeader(status int)      { w.status = status }
func (w *response) Write(b []byte) (int, error) { return w.body.Write(b) }

// serve calls an endpoint. It converts a JSON body to a form, which the endpoint expects.
func (s *Surface) serve(c *gin.Context, e endpoint) (*response, bool) {
	w := &response{header: c.Writer.Header(), status: http.StatusOK}
	r := c.Request
	if c.Request.Method == http.MethodPost && c.ContentType() != formType {
		in, f := read(c, false)
		form, ok := map[string][]string(nil), f == nil
		if ok {
			form, ok = formOf(in)
		}
		switch {
		case f != nil && f.Status != http.StatusBadRequest:
			s.oauthFault(c, *f)
			return nil, false
		case !ok:
			s.oauthFault(c, web.Fault{Status: http.StatusBadRequest, Code: web.CodeMalformedBody, Reason: "the body is not an object of texts, each once"})
			return nil, false
		}
		r = asForm(c.Request, form)
	}
	e(w, r, web.Caller(c))
	return w, true
}

// asForm returns a copy of a request with a form as its body.
func asForm(from *http.Request, form map[string][]string) *http.Request {
	r := from.Clone(from.Context())
	var b strings.Builder
	for name, values := range form {
		for _, value := range values {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(value))
		}
	}
	r.Header.Set("Content-Type", formType)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(b.String())), int64(b.Len())
	r.Form, r.PostForm = nil, nil
	return r
}

// send sends a response; change may modify a JSON object.
func (s *Surface) send(c *gin.Context, w *response, change func(members map[string]any)) {
	body := w.body.Bytes()
	if change != nil && w.status == http.StatusOK {
		var members map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if d.Decode(&members) == nil {
			change(members)
			if text, err := json.Marshal(members); err == nil {
				body = text
			}
		}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte(`{"success":true,"status":200}`)
	}
	c.Data(w.status, jsonbody.Type+"; charset=utf-8", body)
}

// oauthFault writes the error of an OAuth endpoint (RFC 6749 section 5.2).
func (s *Surface) oauthFault(c *gin.Context, f web.Fault) {
	f.Refused(c)
	c.JSON(f.Status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{"invalid_request", f.Reason})
}

// token is the token endpoint. Its response repeats the subject and the lifetime of the ID
// token, for callers that read no tokens.
func (s *Surface) token(c *gin.Context) {
	w, ok := s.serve(c, s.provider.Grants.Token)
	if !ok {
		return
	}
	s.send(c, w, func(members map[string]any) {
		id, ok := payload(members["id_token"])
		if ok {
			members["id_token_expires_in"] = number(id["exp"]) - number(id["iat"])
		} else if id, ok = payload(members["access_token"]); !ok || id["grant_id"] == nil {
			return // no user, or an opaque token
		}
		members["sub"] = id["sub"]
	})
}

// payload reads the claims of a token that the server just issued.
func payload(token any) (map[string]any, bool) {
	text, _ := token.(string)
	raw, err := signing.Unverified(text)
	var members map[string]any
	if err != nil || json.Unmarshal(raw, &members) != nil {
		return nil, false
	}
	return members, true
}

func number(v any) int64 {
	f, _ := v.(float64)
	return int64(f)
}

// introspect is introspection for clients and for bearers of a valid access token.
func (s *Surface) introspect(c *gin.Context) {
	inspect := endpoint(s.provider.Introspection.Introspect)
	if bearerOf(c) != "" {
		inspect = s.provider.Introspection.IntrospectAsBearer
	}
	w, ok := s.serve(c, inspect)
	if !ok {
		return
	}
	if w.status == http.StatusUnauthorized && w.body.Len() == 0 {
		s.denied(c, s.reference(c, mfa.Refusal{}))
		return
	}
	s.send(c, w, func(members map[string]any) {
		if members["active"] != true {
			return
		}
		scope, _ := members["scope"].(string)
		members["scopes"] = strings.Fields(scope)
		if members["roles"] == nil {
			members["roles"] = []string{} // callers read it without checking that it is there
		}
	})
}

func (s *Surface) revoke(c *gin.Context) {
	if w, ok := s.serve(c, s.provider.Introspection.Revoke); ok {
		s.send(c, w, nil)
	}
}

// userinfo reads the token from a header only, not from the body.
func (s *Surface) userinfo(c *gin.Context) {
	if token := bearerOf(c); token != "" {
		c.Request.Header.Set("Authorization", "Bearer "+token)
	}
	w := &response{header: c.Writer.Header(), status: http.StatusOK}
	s.provider.Introspection.Userinfo(w, c.Request, web.Caller(c))
	if w.status == http.StatusUnauthorized {
		challenge := w.header.Get("WWW-Authenticate")
		s.denied(c, s.reference(c, mfa.Refusal{}))
		c.Header("WWW-Authenticate", challenge)
		return
	}
	s.send(c, w, nil)
}
