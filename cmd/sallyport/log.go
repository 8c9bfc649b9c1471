package main

import (
	"io"
	"log/slog"
	"slices"
	"strings"
)

// newLog returns the server's log: JSON lines, so that no value can forge one.
func newLog(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l, ReplaceAttr: redact}))
}

// secretKeys are attribute names whose values never reach the log, whoever wrote
// them there: a second line of defence behind types that hide themselves.
var secretKeys = []string{"password", "passcode", "secret", "client_secret", "token", "access_token", "refresh_token",
	"id_token", "code", "code_verifier", "cookie", "authorization", "dsn", "key"}

func redact(_ []string, a slog.Attr) slog.Attr {
	// Numbers are let through: "code" is also the word for an HTTP status.
	if a.Value.Kind() != slog.KindInt64 && slices.Contains(secretKeys, strings.ToLower(a.Key)) {
		return slog.String(a.Key, "hidden")
	}
	return a
}
