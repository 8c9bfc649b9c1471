package outboxfile_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa/delivery"
	"sallyport/mfa/delivery/outboxfile"
	"sallyport/storage"
)

func now() time.Time { return time.Date(2026, 11, 29, 15, 4, 5, 0, time.UTC) }

func TestEveryMessageIsALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.jsonl")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	const n = 20
	for range 2 { // two servers
		s, err := outboxfile.New(path, now)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n / 2 {
			all.Go(func() {
				err := s.Send(t.Context(), delivery.Outgoing{ID: storage.MessageID(strings.Repeat("x", 1+i)), Kind: "sms", Recipient: "+491511234567", Locale: "en",
					Template: "code", Text: "two\nlines of " + strings.Repeat("text", 5000), Data: map[string]string{"code": "123456"}})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: mode %v", err, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	count := 0
	for lines.Scan() {
		var got outboxfile.Line
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Code != "123456" || got.Time != now() || got.Kind != "sms" || got.Recipient != "+491511234567" || !strings.HasPrefix(got.Text, "two\n") {
			t.Errorf("got %+v", got)
		}
		count++
	}
	if count != n {
		t.Errorf("%d lines, want %d", count, n)
	}
}

func TestAFileThatCannotBeWrittenIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if _, err := outboxfile.New(filepath.Join(dir, "outbox"), now); err == nil {
		t.Error("the file is in no folder")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := outboxfile.New(filepath.Join(dir, "outbox"), now)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), delivery.Outgoing{}); err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

func TestTheNewestMessagesAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox")
	s, err := outboxfile.New(path, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"c", "b"}
	for _, id := range []string{"a", "b", "c"} {
		if err := s.Send(t.Context(), delivery.Outgoing{ID: storage.MessageID(id), Text: strings.Repeat("long ", 30000)}); err != nil {
			t.Fatal(err)
		}
	}
	for limit := range 3 {
		lines, err := outboxfile.Read(path, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, l.ID)
		}
		// The file is longer than what is read of it: the oldest lines are not there.
		if n := min(limit, 1); !slices.Equal(got, want[:n]) {
			t.Errorf("%d: got %v, want %v", limit, got, want[:n])
		}
	}
	if _, err := outboxfile.Read(path+"x", 1); err == nil {
		t.Error("a file that is not there is read")
	}
}
