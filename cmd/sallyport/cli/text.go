package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Printable returns a text that others chose in a form that is safe on a terminal, where
// control characters could repaint the screen.
func Printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}

// PrintableValue returns a value as JSON, in which texts have quotes.
func PrintableValue(v any) string {
	if v == nil {
		return "(none)"
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return Printable(fmt.Sprint(v))
	}
	return Printable(strings.TrimSuffix(b.String(), "\n"))
}

// Time formats a time for lists and audit events.
func Time(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// OptionalTime formats a time that may be missing.
func OptionalTime(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return Time(*t)
}
