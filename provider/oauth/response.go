package oauth

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Responder writes the error responses of endpoints for clients.
type Responder struct {
	Issuer    string
	ProofAlgs []string // algorithms of DPoP proofs
}

// Error writes an error response (RFC 6749 section 5.2).
func (p *Responder) Error(w http.ResponseWriter, r *http.Request, e *Error) {
	e.Refused(r.Context(), claimed(r), func(name string) string { return r.PostForm.Get(name) })
	h := w.Header()
	if e.Status == http.StatusUnauthorized && e.Basic {
		h.Set("WWW-Authenticate", `Basic realm="`+p.Issuer+`", charset="UTF-8"`)
	}
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	body := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, Sanitize(e.Description)}
	WriteJSON(w, e.Status, body)
}

// claimed returns the client that a request names.
func claimed(r *http.Request) storage.ClientID {
	id := r.PostForm.Get("client_id")
	if user, _, ok := r.BasicAuth(); ok && id == "" {
		id = user
	}
	return mfa.Claimed(id)
}

// ResourceError writes the error response of a protected resource (RFC 6750 section 3, RFC 9449
// section 7.1). The challenge of the scheme that the request used has the error; the other scheme is
// offered. A nil error means that no token was sent: the response has no error code.
func (p *Responder) ResourceError(w http.ResponseWriter, r *http.Request, e *Error) {
	used, other := `Bearer realm="`+p.Issuer+`"`, `DPoP algs="`+strings.Join(p.ProofAlgs, " ")+`"`
	if r.URL.Path == UserinfoPath { // RFC 9728 section 5.1; its aliases are no resources of their own
		metadata := `, resource_metadata="` + p.Issuer + ResourceMetadata + UserinfoPath + `"`
		used, other = used+metadata, other+metadata
	}
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); isDPoP(scheme) {
		used, other = other, used
	}
	h := w.Header()
	if e == nil {
		mfa.Refused(r.Context(), mfa.Refusal{Reason: NoToken, Parameter: "access_token"})
		h["Www-Authenticate"] = []string{used, other}
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if e.Code == "invalid_dpop_proof" || e.Code == "use_dpop_nonce" {
		e.Status = http.StatusUnauthorized
	}
	if e.Status < http.StatusInternalServerError {
		used += `, error="` + e.Code + `", error_description="` + Sanitize(e.Description) + `"`
		if e.Code == "insufficient_scope" {
			used += `, scope="openid"`
		}
		h["Www-Authenticate"] = []string{used, other}
	}
	p.Error(w, r, e)
}

// WriteJSON writes a response that must not be cached (RFC 6749 section 5.1).
func WriteJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	Write(w, status, "application/json", text)
}

// Write writes a response of another media type that must not be cached.
func Write(w http.ResponseWriter, status int, mediaType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone if this fails
}

// Sanitize keeps only the characters that RFC 6749 section 5.2 allows in error_description.
func Sanitize(text string) string {
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
