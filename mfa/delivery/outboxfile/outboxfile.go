// Package outboxfile writes messages into a file instead of sending them, for development
// and for tests that read codes.
package outboxfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"sallyport/mfa/delivery"
)

// Sender implements delivery.Sender.
type Sender struct {
	path string
	now  func() time.Time
	mu   sync.Mutex
}

// New returns a Sender that appends to a file that only its owner can read, and creates it.
func New(path string, now func() time.Time) (*Sender, error) {
	s := &Sender{path: path, now: now}
	return s, s.write(nil)
}

// Repeatable returns true: every line has the ID of its message.
func (s *Sender) Repeatable() bool { return true }

// Line is a line of the file.
type Line struct {
	Time      time.Time `json:"time"`
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Recipient string    `json:"recipient"`
	Locale    string    `json:"locale"`
	Template  string    `json:"template"`
	Code      string    `json:"code,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Text      string    `json:"text"`
	HTML      string    `json:"html,omitempty"`
}

// Send appends a message to the file.
func (s *Sender) Send(_ context.Context, m delivery.Outgoing) error {
	text, err := json.Marshal(Line{Time: s.now().UTC(), ID: string(m.ID), Kind: m.Kind, Recipient: m.Recipient, Locale: m.Locale, Template: m.Template,
		Code: m.Data["code"], Subject: m.Subject, Text: m.Text, HTML: m.HTML})
	if err != nil {
		return &delivery.Permanent{Reason: "not representable"}
	}
	if err := s.write(append(text, '\n')); err != nil {
		return &delivery.Retry{Reason: "the file cannot be written"}
	}
	return nil
}

// tail is how much of a file Read reads.
const tail = 256 << 10

// Read returns up to limit messages of a file, the newest first.
func Read(path string, limit int) ([]Line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the file of messages: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the file of messages: %w", err)
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(info.Size()-tail, 0), tail))
	if err != nil {
		return nil, fmt.Errorf("read the file of messages: %w", err)
	}
	var out []Line
	for line := range bytes.Lines(text) {
		var l Line
		if json.Unmarshal(line, &l) == nil { // the first may be cut, and the last still be written
			out = append(out, l)
		}
	}
	slices.Reverse(out)
	return out[:min(len(out), limit)], nil
}

// write appends a line in one call, so that lines of several servers do not mix.
func (s *Sender) write(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the file of messages: %w", err)
	}
	err = f.Chmod(0o600) // it may have been there already
	if err == nil {
		_, err = f.Write(line)
	}
	return errors.Join(err, f.Close())
}
