package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sallyport/web"
)

// hostile texts try to forge lines, to control the terminal of a reader, and to fill the disk.
var hostile = map[string]string{
	"a line of its own":        "x\n{\"level\":\"ERROR\",\"msg\":\"forged\"}",
	"a carriage return":        "x\rforged",
	"an end of the text":       `x","msg":"forged`,
	"colours of a terminal":    "\x1b[2J\x1b]0;title\x07",
	"the other escape":         "\u009b2J",
	"a separator of lines":     "x\u2028forged\u2029",
	"the direction turned":     "x\u202egpj.exe",
	"no text":                  "\xff\xfe\x00\x7f",
	"a very long text":         strings.Repeat("x", 1<<20),
	"letters cut in two":       strings.Repeat("\u00e4", 1<<14),
	"a secret's name as value": "password",
}

func TestNoValueForgesALogLine(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log := NewLog(&out, "debug")
			log.Info("first", "field", text, "error", errors.New(text), "wrapped", fmt.Errorf("read: %w", errors.New(text)), slog.Group("group", "inner", text))
			web.NewServer(nil, log).ErrorLog.Print("http: " + text)
			log.Info("last")
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) != 3 {
				t.Fatalf("%d lines, want 3: %q", len(lines), lines)
			}
			for _, line := range lines {
				var got map[string]any
				if err := json.Unmarshal([]byte(line), &got); err != nil || got["level"] == "ERROR" || got["msg"] == "forged" {
					t.Errorf("line %q: %v", line, err)
				}
				if len(line) > 5*(loggedMost+100) {
					t.Errorf("a line of %d bytes", len(line))
				}
			}
			if i := strings.IndexFunc(out.String(), func(r rune) bool {
				return r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\u2028')
			}); i >= 0 {
				t.Errorf("the log holds %q", out.String()[i:min(out.Len(), i+10)])
			}
		})
	}
}

func TestLogHidesSecretAttributes(t *testing.T) {
	var b bytes.Buffer
	NewLog(&b, "info").Info("x", "password", "geheim", "Authorization", "geheim", "user", "alice", "line", "a\nb")
	if got := b.String(); strings.Contains(got, "geheim") || !strings.Contains(got, "alice") || strings.Count(got, "\n") != 1 {
		t.Errorf("log = %q", got)
	}
}
