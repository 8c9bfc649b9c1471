package login

import (
	"slices"
	"time"

	"sallyport/web/page"
)

// mfaShape is what the page shows of mfaPage, without what is personal.
type mfaShape struct {
	way                 option
	others              [3]option
	count, days, hours  int
	recovers, remembers bool
	remember            bool
	left                int
	takenFor            string
}

// Kept is that of page.Data. A page about a code that was sent, or with a ceremony, is not kept: it
// shows times, and names of passkeys.
func (d mfaPage) Kept() (page.Kept, bool) {
	if d.Way == nil || d.Exchange != "" || !d.Until.IsZero() || d.Sending != (page.Sending{}) || d.Ceremony != (page.Ceremony{}) || len(d.Others) > len(mfaShape{}.others) {
		return page.Kept{}, false
	}
	var k page.Kept
	s := mfaShape{count: len(d.Others), days: d.Days, hours: d.Hours, recovers: d.Recovers, remembers: d.Remembers, remember: d.Remember, left: d.Left, takenFor: d.TakenFor}
	s.way = without(&k, *d.Way)
	for i, w := range d.Others {
		s.others[i] = without(&k, w)
	}
	k.Shape = s
	return k, true
}

// without adds the ID and the texts of an option to a kept page, and returns the rest.
func without(k *page.Kept, w option) option {
	k.Texts = append(k.Texts, w.Name, w.Address)
	if w.Chosen != "" {
		k.Random, w.Chosen = append(k.Random, string(w.Chosen)), "one"
	}
	w.Name, w.Address, w.used = "", "", time.Time{}
	return w
}

// With is that of page.Data.
func (d mfaPage) With(texts []string) any {
	way := *d.Way
	d.Way, d.Others = &way, slices.Clone(d.Others)
	d.Way.Name, d.Way.Address = texts[0], texts[1]
	for i := range d.Others {
		d.Others[i].Name, d.Others[i].Address = texts[2*i+2], texts[2*i+3]
	}
	return d
}
