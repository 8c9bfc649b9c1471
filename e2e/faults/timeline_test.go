package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// timeline counts responses by the tenth of a second they came in.
type timeline struct {
	began time.Time
	mu    sync.Mutex
	slots [][outcomes]int
	marks []mark
}

// mark is an event of the timeline.
type mark struct {
	at   time.Duration
	what string
}

type outcome int

const (
	served   outcome = iota
	refusal          // 503 with Retry-After
	failed           // anything else, or no response
	outcomes         // how many there are
)

const slot = 100 * time.Millisecond

func outcomeOf(r reply) outcome {
	switch {
	case r.code == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
		return refusal
	case r.code >= http.StatusInternalServerError:
		return failed
	}
	return served
}

func newTimeline() *timeline { return &timeline{began: time.Now()} }

func (l *timeline) add(o outcome) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := int(time.Since(l.began) / slot)
	for len(l.slots) <= at {
		l.slots = append(l.slots, [outcomes]int{})
	}
	l.slots[at][o]++
}

func (l *timeline) mark(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks = append(l.marks, mark{time.Since(l.began), what})
}

// sums returns how many responses there were of each outcome.
func (l *timeline) sums() (out [outcomes]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.slots {
		for o := range out {
			out[o] += s[o]
		}
	}
	return out
}

// svg draws the timeline: a bar for each tenth of a second.
func (l *timeline) svg(title string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	const left, top, height, width = 40, 52, 110, 2
	highest := 1
	for _, s := range l.slots {
		highest = max(highest, s[served]+s[refusal]+s[failed])
	}
	right := left + width*len(l.slots)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" font-family="sans-serif" font-size="11">`+"\n", right+20, top+height+40, right+20)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", title)
	colours := [outcomes]string{"#2a7de1", "#e8a33d", "#c62828"}
	for i, s := range l.slots {
		y := top + height
		for o, n := range s {
			if n == 0 {
				continue
			}
			h := max(1, n*height/highest)
			y -= h
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", left+width*i, y, width, h, colours[o])
		}
	}
	fmt.Fprintf(&b, `<path d="M%d %dV%dH%d" fill="none" stroke="#333"/>`+"\n", left, top, top+height, right)
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%d</text><text x="%d" y="%d" text-anchor="end">0</text>`+"\n", left-4, top+8, highest, left-4, top+height)
	for second := 0; second*10 <= len(l.slots); second += 5 {
		x := left + width*second*10
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%d s</text>`+"\n", x, top+height+14, second)
	}
	for i, m := range l.marks {
		x, anchor := left+width*int(m.at/slot), "start"
		if x > right-110 {
			anchor = "end"
		}
		fmt.Fprintf(&b, `<path d="M%d %dV%d" stroke="#333" stroke-dasharray="3 2"/><text x="%d" y="%d" text-anchor="%s">%s</text>`+"\n", x, top-6, top+height, x, top-36+12*(i%3), anchor, m.what)
	}
	for o, name := range []string{"served", "503 with Retry-After", "failed"} {
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="9" height="9" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", left+140*o, top+height+24, colours[o], left+13+140*o, top+height+33, name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// draw saves the timeline in the folder SALLYPORT_TEST_CHARTS, if that is set.
func (l *timeline) draw(t *testing.T, name, title string) {
	t.Helper()
	folder := os.Getenv("SALLYPORT_TEST_CHARTS")
	if folder == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(folder, name+".svg"), []byte(l.svg(title)), 0o644); err != nil {
		t.Error(err)
	}
}
