package dev

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	"sallyport/mfa/delivery/outboxfile"
)

// outboxShown is how many messages the outbox shows.
const outboxShown = 100

// sentMessage is a line of the file that the server writes its messages to.
type sentMessage struct{ outboxfile.Line }

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

// sent returns the messages in a file, newest first. A message that was sent again is
// returned once.
func sent(file string) ([]sentMessage, error) {
	lines, err := outboxfile.Read(file, outboxShown)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	out, known := []sentMessage{}, map[string]bool{}
	for _, l := range lines {
		if l.ID != "" && !known[l.ID] {
			known[l.ID] = true
			out = append(out, sentMessage{l})
		}
	}
	return out, nil
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
