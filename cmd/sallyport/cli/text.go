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

// shownText is a text that others chose, as a terminal may show it: control characters
// could repaint the screen.
func Printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}

// shownValue writes a value in JSON, in which texts have quotes.
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

// stamp writes a moment as all lists of ours do.
func Time(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// stampOf is stamp for a moment that may not be.
func OptionalTime(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return Time(*t)
}
