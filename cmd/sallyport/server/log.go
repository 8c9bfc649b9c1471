package server

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"unicode"
)

// NewLog returns the server's log: a line of JSON a record, so that no value can forge one.
func NewLog(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l, ReplaceAttr: redact}))
}

// secretKeys are attributes whose values are never logged: a second line of defence behind
// types that hide themselves.
var secretKeys = []string{"password", "passcode", "secret", "client_secret", "token", "access_token", "refresh_token",
	"id_token", "code", "code_verifier", "cookie", "authorization", "dsn", "key"}

func redact(_ []string, a slog.Attr) slog.Attr {
	// Numbers are logged: "code" also names an HTTP status.
	if a.Value.Kind() != slog.KindInt64 && slices.Contains(secretKeys, strings.ToLower(a.Key)) {
		return slog.String(a.Key, "hidden")
	}
	switch a.Value.Kind() {
	case slog.KindString:
		if v := a.Value.String(); !printable(v) {
			return slog.String(a.Key, sanitize(v))
		}
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case string:
			return slog.String(a.Key, sanitize(v))
		case error:
			return slog.String(a.Key, sanitize(v.Error()))
		case slog.Level: // else slog writes it through encoding/json
			return slog.String(a.Key, v.String())
		}
	}
	return a
}

// printable reports whether a text is logged as it is, as most are.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return len(text) <= loggedMost
}

// loggedMost bounds one value of a record: a stack fits, and only a fraction of what a
// caller may send.
const loggedMost = 16 << 10

// sanitize makes text from outside safe to read on a terminal: JSON escapes line breaks
// and ESC, but neither the control characters above 0x7f nor those that reverse the
// direction of writing.
func sanitize(text string) string {
	if len(text) > loggedMost {
		text = text[:loggedMost] + " (cut)"
	}
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}
