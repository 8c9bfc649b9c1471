package dev

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	outboxFile  = "outbox.jsonl" // in the data folder
	outboxBytes = 1 << 20        // of the end of the file are read
	outboxShown = 100            // messages, at most
)

// sentMessage is a line of the file that the server writes its messages to.
type sentMessage struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"` // mail, sms, ...
	Recipient string    `json:"recipient"`
	Subject   string    `json:"subject,omitempty"`
	Text      string    `json:"text,omitempty"`
	HTML      string    `json:"html,omitempty"`
	Template  string    `json:"template"`
	Code      string    `json:"code,omitempty"` // what the user has to type
	Time      time.Time `json:"time"`
}

// Clock is when the message was sent, by the clock on the wall.
func (m sentMessage) Clock() string { return m.Time.Local().Format("15:04:05") }

// textPart is a part of a text: a link if it has an address.
type textPart struct{ Text, Address string }

var webAddress = regexp.MustCompile(`https?://[^\s<>"]*[^\s<>".,;:!?)\]]`)

// Parts are the text, cut at its links.
func (m sentMessage) Parts() []textPart {
	var out []textPart
	at := 0
	for _, found := range webAddress.FindAllStringIndex(m.Text, -1) {
		link := m.Text[found[0]:found[1]]
		out = append(out, textPart{Text: m.Text[at:found[0]]}, textPart{Text: link, Address: link})
		at = found[1]
	}
	return append(out, textPart{Text: m.Text[at:]})
}

// sent reads the newest messages from the end of a file, newest first. A message that was
// sent again is returned once.
func sent(file string) ([]sentMessage, error) {
	text, err := tail(file, outboxBytes)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	out, known := []sentMessage{}, map[string]bool{}
	for _, line := range slices.Backward(bytes.Split(text, []byte("\n"))) {
		var m sentMessage
		// A line that was cut off, by a crash or by tail, is no JSON.
		if json.Unmarshal(line, &m) != nil || m.ID == "" || known[m.ID] {
			continue
		}
		known[m.ID] = true
		if out = append(out, m); len(out) == outboxShown {
			break
		}
	}
	return out, nil
}

// tail returns at most the last n bytes of a file; nothing if there is no such file yet.
func tail(file string, n int64) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-n), n))
}

// outboxRoutes adds the outbox. It shows codes that sign users in, so that on a listener that
// the network reaches there is none.
func (d *demo) outboxRoutes(mux *http.ServeMux) {
	if d.at.exposed {
		mux.HandleFunc("GET /outbox", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "The outbox is shown on loopback only. Its file is in the data folder.", http.StatusNotFound)
		})
		return
	}
	mux.HandleFunc("GET /outbox", d.showOutbox)
	mux.HandleFunc("GET /outbox.json", d.readOutbox)
}

func (d *demo) showOutbox(w http.ResponseWriter, _ *http.Request) {
	list, err := sent(d.outbox)
	if err != nil {
		d.fail(w, err)
		return
	}
	d.render(w, "outbox.html", list)
}

// readOutbox serves the messages as JSON, newest first. With recipient only those to this
// address, with after only those sent after this message: a program that waits for a
// message passes the newest one that it has seen.
func (d *demo) readOutbox(w http.ResponseWriter, r *http.Request) {
	list, err := sent(d.outbox)
	if err != nil {
		d.fail(w, err)
		return
	}
	query := r.URL.Query()
	if after := query.Get("after"); after != "" {
		i := slices.IndexFunc(list, func(m sentMessage) bool { return m.ID == after })
		if i < 0 {
			http.Error(w, "after: there is no such message.", http.StatusBadRequest)
			return
		}
		list = list[:i]
	}
	if to := query.Get("recipient"); to != "" {
		list = slices.DeleteFunc(list, func(m sentMessage) bool { return !strings.EqualFold(m.Recipient, to) })
	}
	writeJSON(w, map[string]any{"messages": list})
}
