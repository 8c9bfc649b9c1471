package dev

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/server"
)

// outboxAt serves the demo of a place with an outbox of these lines.
func outboxAt(t *testing.T, at place, lines ...string) (get func(path string) *httptest.ResponseRecorder, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), outboxName)
	if lines != nil {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	handler, err := newDemo(&server.Server{Log: slog.New(slog.DiscardHandler)}, at, secrets{}, &folder{dir: filepath.Dir(file)})
	if err != nil {
		t.Fatal(err)
	}
	return func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at.demo()+path, nil))
		return w
	}, file
}

func mailLine(id, recipient, code, text string) string {
	line, _ := json.Marshal(map[string]string{"id": id, "kind": "mail", "recipient": recipient, "code": code, "subject": "S", "text": text,
		"template": "code", "time": "2026-03-01T12:00:00Z"})
	return string(line)
}

func idsOf(t *testing.T, w *httptest.ResponseRecorder) []string {
	t.Helper()
	var out struct{ Messages []sentMessage }
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK || out.Messages == nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	ids := []string{}
	for _, m := range out.Messages {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestOutboxListsMessagesNewestFirst(t *testing.T) {
	get, _ := outboxAt(t, place{name: "localhost", port: 8080},
		mailLine("1", "alice@example.com", "111111", ""), mailLine("2", "bob@example.com", "222222", ""), "no JSON", "{}",
		mailLine("3", "alice@example.com", "333333", ""), mailLine("1", "alice@example.com", "111111", "sent again"), `{"id":"4","recip`)
	for _, tc := range []struct {
		query string
		want  []string
	}{
		{"", []string{"1", "3", "2"}},
		{"?recipient=Alice@Example.com", []string{"1", "3"}},
		{"?after=2", []string{"1", "3"}},
		{"?after=1", []string{}},
		{"?after=2&recipient=bob@example.com", []string{}},
	} {
		if got := idsOf(t, get("/outbox.json"+tc.query)); !slices.Equal(got, tc.want) {
			t.Errorf("outbox.json%s = %v, want %v", tc.query, got, tc.want)
		}
	}
	if w := get("/outbox.json?after=4"); w.Code != http.StatusBadRequest {
		t.Errorf("after an unknown message: %d %s, want 400", w.Code, w.Body)
	}
}

func TestOutboxIsEmptyBeforeTheFirstMessage(t *testing.T) {
	get, _ := outboxAt(t, place{name: "localhost", port: 8080})
	if got := idsOf(t, get("/outbox.json")); len(got) != 0 {
		t.Errorf("messages = %v, want none", got)
	}
	if w := get("/outbox"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "No messages yet") {
		t.Errorf("page = %d %s", w.Code, w.Body)
	}
}

func TestOutboxPageShowsTextsAndLinksAndNoMarkup(t *testing.T) {
	get, _ := outboxAt(t, place{name: "localhost", port: 8080}, mailLine("7", "<i>@example.com", "048213",
		"<script>alert(1)</script> see https://a.example/x?y=1&z=2, or (http://b.example/). Not javascript:alert(1)."))
	page := get("/outbox").Body.String()
	for _, want := range []string{`<output class="code">048213</output>`, "&lt;script&gt;", "&lt;i&gt;@example.com",
		`<a href="https://a.example/x?y=1&amp;z=2" target="_blank" rel="noopener">https://a.example/x?y=1&amp;z=2</a>,`,
		`<a href="http://b.example/" target="_blank" rel="noopener">http://b.example/</a>).`, "Not javascript:alert(1)."} {
		if !strings.Contains(page, want) {
			t.Errorf("page %s\nwant %q in it", page, want)
		}
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, `href="javascript`) {
		t.Errorf("a message changed the page: %s", page)
	}
}

func TestOutboxIsNotServedToTheNetwork(t *testing.T) {
	at := place{bind: "192.0.2.7", name: "192.0.2.7", port: 8080, secure: true, exposed: true}
	get, _ := outboxAt(t, at, mailLine("1", "alice@example.com", "111111", ""))
	for _, path := range []string{"/outbox", "/outbox.json"} {
		if w := get(path); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "111111") {
			t.Errorf("GET %s = %d %s, want 404", path, w.Code, w.Body)
		}
	}
	if got := messagesAt(at, &folder{dir: "data"}); strings.Contains(got, "/outbox ") || !strings.Contains(got, outboxName) {
		t.Errorf("the greeting names %q, want the file only", got)
	}
}

func TestOutboxReportsAFileItCannotRead(t *testing.T) {
	get, file := outboxAt(t, place{name: "localhost", port: 8080})
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/outbox", "/outbox.json"} {
		if w := get(path); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), file) {
			t.Errorf("GET %s = %d %s, want 503 without the path", path, w.Code, w.Body)
		}
	}
}
