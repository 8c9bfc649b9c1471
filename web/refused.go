package web

import (
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
)

// Unexplained is the reason of a response that refuses without one. No surface may send it.
const Unexplained = "unexplained"

// Refused adds to what the log will say about a refused request.
func Refused(c *gin.Context, r mfa.Refusal) { mfa.Refused(c.Request.Context(), r) }

// logRefusal writes the line about a refused request: one that ends in an error status, or in an
// error for a client that is sent by a redirect.
func (s *server) logRefusal(c *gin.Context, method string, code int) {
	k := callOf(c)
	r := k.refusal
	if code < http.StatusBadRequest && r.Reason == "" {
		return
	}
	level := slog.LevelInfo
	if r.Reason == "" {
		r.Reason, r.Operator = Unexplained, true
	}
	if r.Operator {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("reason", r.Reason)}
	for _, more := range [][2]string{{"event", r.Event}, {"client", plain(string(r.Client))}, {"parameter", loggedName(r.Parameter)},
		{"value", shown(r.Parameter, r.Value)}, {"reference", r.Reference}} {
		if more[1] != "" {
			attrs = append(attrs, slog.String(more[0], more[1]))
		}
	}
	if r.Err != nil {
		attrs = append(attrs, slog.Any("cause", r.Err))
	}
	attrs = append(attrs, slog.String("method", method), slog.String("route", c.FullPath()), slog.Int("code", code),
		slog.String("correlation_id", k.correlation))
	s.log.LogAttrs(c.Request.Context(), level, "refused", attrs...)
}

// harmless are the parameters whose values are logged. All others may be secrets, or may lead to
// a person.
var harmless = regexp.MustCompile(`^(acr_values|client_id|code_challenge_method|display|grant_type|max_age|post_logout_redirect_uri|prompt|` +
	`redirect_uri|resource|response_mode|response_type|scope|token_endpoint_auth_method|token_type_hint)$`)

// shown returns the value of a parameter as it is logged: "" unless it is harmless and no word in
// it looks like a secret, and of an address neither user, query nor fragment.
func shown(parameter, value string) string {
	if !harmless.MatchString(parameter) {
		return ""
	}
	switch {
	case parameter == "client_id":
		value = string(mfa.Claimed(value))
	case strings.HasSuffix(parameter, "_uri") || parameter == "resource":
		value = bare(value)
	}
	// A secret can be in the place of any parameter.
	if slices.ContainsFunc(strings.FieldsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == '/' }), mfa.LooksSecret) {
		return ""
	}
	return plain(value)
}

// bare is an address without user, query and fragment.
func bare(address string) string {
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	if u, err := url.Parse(address); err == nil {
		u.User = nil
		return u.String()
	}
	if before, after, found := strings.Cut(address, "@"); found {
		scheme, _, _ := strings.Cut(before, "//")
		return scheme + "//" + after
	}
	return address
}

// longest is how much of a value is logged.
const longest = 200

// plain returns a text as it is logged: short, and without characters that act on a terminal.
func plain(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		text = strconv.Quote(text)
		text = text[1 : len(text)-1]
	}
	return text
}

// member is the name of a parameter or of a member of a body. Digits are for places in a list:
// a token in the place of a name has others.
var member = regexp.MustCompile(`^[A-Za-z_-]+(\[[0-9]{1,4}\])?(\.[A-Za-z_-]+(\[[0-9]{1,4}\])?)*$`)

// loggedName returns the name of a parameter as it is logged. Callers can send anything as a name.
func loggedName(parameter string) string {
	if len(parameter) > 64 || !member.MatchString(parameter) {
		return ""
	}
	return parameter
}
