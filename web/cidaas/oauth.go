package cidaas

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web"
)

// documentAge is how long the key set may be kept, as at its own address.
const documentAge = "public, max-age=300"

// mountOAuth adds the addresses that are other names of ours, with the bodies and the
// additions callers of the dialect are used to.
func (s *Surface) mountOAuth(r gin.IRouter) {
	calls := web.Shared(s.calls)
	for path, serve := range map[string]gin.HandlerFunc{
		"/token-srv/token": s.token, "/token-srv/introspect": s.introspect, "/token-srv/revoke": s.revoke, "/users-srv/userinfo": s.userinfo,
	} {
		r.POST(path, calls, serve)
		r.OPTIONS(path, calls)
	}
	r.GET("/users-srv/userinfo", calls, s.userinfo)
	reads := web.Shared(s.reads)
	r.GET("/.well-known/jwks.json", reads, s.keys)
	r.HEAD("/.well-known/jwks.json", reads, s.keys)
	r.OPTIONS("/.well-known/jwks.json", reads)
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

// endpoint is a method of the provider's that writes its own answer.
type endpoint func(http.ResponseWriter, *http.Request, mfa.Caller)

// written is an answer before it is sent.
type written struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(status int)      { w.status = status }
func (w *written) Write(b []byte) (int, error) { return w.body.Write(b) }

// serve lets an endpoint answer. A JSON body is handed on as the form it stands for, so
// that there is one reader of both.
func (s *Surface) serve(c *gin.Context, e endpoint) (*written, bool) {
	w := &written{header: c.Writer.Header(), status: http.StatusOK}
	r := c.Request
	if c.Request.Method == http.MethodPost && c.ContentType() != formType {
		in, f := read(c, false)
		form, ok := map[string][]string(nil), f == nil
		if ok {
			form, ok = formOf(in)
		}
		switch {
		case f != nil && f.status != http.StatusBadRequest:
			s.oauthFault(c, f.status, f.text)
			return nil, false
		case !ok:
			s.oauthFault(c, http.StatusBadRequest, "the body is not an object of texts, each once")
			return nil, false
		}
		r = asForm(c.Request, form)
	}
	e(w, r, web.Visit(c))
	return w, true
}

// asForm is a request with a form in the place of its body.
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

// send sends an answer, changed where it is a JSON object.
func (s *Surface) send(c *gin.Context, w *written, change func(members map[string]any)) {
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
	c.Data(w.status, jsonType+"; charset=utf-8", body)
}

// oauthFault is a refusal of an OAuth endpoint (RFC 6749 section 5.2).
func (s *Surface) oauthFault(c *gin.Context, status int, text string) {
	c.JSON(status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{"invalid_request", text})
}

// token is the token endpoint. Its callers want to know the subject and the end of the
// ID token without reading tokens.
func (s *Surface) token(c *gin.Context) {
	w, ok := s.serve(c, s.provider.Token)
	if !ok {
		return
	}
	s.send(c, w, func(members map[string]any) {
		id, told := payload(members["id_token"])
		if told {
			members["id_token_expires_in"] = number(id["exp"]) - number(id["iat"])
		} else if id, told = payload(members["access_token"]); !told || id["grant_id"] == nil {
			return // no user, or a token that tells nothing
		}
		members["sub"] = id["sub"]
	})
}

// payload reads what a token of ours that was just made says.
func payload(token any) (map[string]any, bool) {
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
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

// introspect is introspection for clients, and for bearers of any living access token.
func (s *Surface) introspect(c *gin.Context) {
	inspect := endpoint(s.provider.Introspect)
	if bearerOf(c) != "" {
		inspect = s.provider.InspectAsBearer
	}
	w, ok := s.serve(c, inspect)
	if !ok {
		return
	}
	if w.status == http.StatusUnauthorized && w.body.Len() == 0 {
		s.denied(c, s.reference(c))
		return
	}
	s.send(c, w, func(members map[string]any) {
		if members["active"] != true {
			return
		}
		scope, _ := members["scope"].(string)
		members["scopes"] = strings.Fields(scope)
		if members["roles"] == nil {
			members["roles"] = []string{} // programs of the dialect look into it unasked
		}
	})
}

func (s *Surface) revoke(c *gin.Context) {
	if w, ok := s.serve(c, s.provider.Revoke); ok {
		s.send(c, w, nil)
	}
}

// userinfo takes the token from the header only; its body says nothing.
func (s *Surface) userinfo(c *gin.Context) {
	if token := bearerOf(c); token != "" {
		c.Request.Header.Set("Authorization", "Bearer "+token)
	}
	w := &written{header: c.Writer.Header(), status: http.StatusOK}
	s.provider.Userinfo(w, c.Request, web.Visit(c))
	if w.status == http.StatusUnauthorized {
		challenge := w.header.Get("WWW-Authenticate")
		s.denied(c, s.reference(c))
		c.Header("WWW-Authenticate", challenge)
		return
	}
	s.send(c, w, nil)
}

// reference is a number under which a refused token stands in the log.
func (s *Surface) reference(c *gin.Context) string {
	reference := storage.Random128(s.random)
	s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "refused", slog.String("reference", reference), slog.String("cause", accessDenied),
		slog.String("route", c.FullPath()), slog.String("correlation_id", web.Correlation(c)))
	return reference
}
