package storagetest

import (
	"strings"
	"time"

	"sallyport/storage"
)

func events(w *fixture) {
	w.test("a message that comes with lines twice is stored once", func(w *fixture) {
		m := storage.Message{ID: ordered[storage.MessageID](w.now), Kind: random[string](), Recipient: "ada@example.com", Template: "first", CreatedAt: w.now, NextAt: w.now,
			ExpiresAt: w.now.Add(time.Hour), Data: map[string]string{"a": "b"}}
		again := m
		again.Template = "second"
		w.ok(w.s.AppendEvents(w.ctx, nil, m))
		w.ok(w.s.AppendEvents(w.ctx, nil, again))
		got, err := w.s.Message(w.ctx, m.ID)
		w.ok(err)
		same(w, got.Template, "first")
	})
	w.test("a line round-trips, with its canonical form", func(w *fixture) {
		p := w.addUser()
		e := storage.Event{
			ID: ordered[storage.EventID](w.now), At: w.now, Kind: "test." + random[string](), Outcome: "refused", Actor: "admin", UserID: p.id,
			ClientID: "app", SessionID: ordered[storage.SessionID](w.now), GrantID: ordered[storage.GrantID](w.now), Address: "192.0.2.1",
			UserAgent: "a \"b\" <c>\n", CorrelationID: "c-1", Detail: map[string]string{"b": "2", "a": "1"},
		}
		w.ok(w.s.AppendEvents(w.ctx, []storage.Event{e}))
		got, err := w.s.ListEvents(w.ctx, storage.EventFilter{Kind: e.Kind, Limit: 2})
		w.ok(err)
		same(w, len(got), 1)
		if c := string(got[0].Canonical); !strings.HasPrefix(c, `{"id":"`+string(e.ID)+`"`) || !strings.Contains(c, `"detail":{"a":"1","b":"2"}`) {
			w.Errorf("canonical form is %s", c)
		}
		got[0].Canonical = nil
		same(w, got[0], e)
	})
	w.test("a line written twice is stored once", func(w *fixture) {
		e, f := w.event(person{}), w.event(person{})
		f.Kind = e.Kind
		w.ok(w.s.AppendEvents(w.ctx, []storage.Event{e}))
		w.ok(w.s.AppendEvents(w.ctx, []storage.Event{e, f}))
		w.ok(w.s.AppendEvents(w.ctx, nil))
		got, err := w.s.ListEvents(w.ctx, storage.EventFilter{Kind: e.Kind, Limit: 10})
		w.ok(err)
		same(w, len(got), 2)
	})
	w.test("lines are selected and paged, newest first", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		var all []storage.Event
		for i := range 1200 {
			at := w.now.Add(time.Duration(i) * time.Millisecond)
			e := storage.Event{ID: ordered[storage.EventID](at), At: at, Kind: "paged", UserID: p.id, ClientID: "app"}
			if i%2 == 1 {
				e.UserID, e.ClientID, e.Kind = q.id, "other", "odd"
			}
			all = append(all, e)
		}
		w.ok(w.s.AppendEvents(w.ctx, all))
		count := func(f storage.EventFilter) int {
			n := 0
			for f.Limit = 250; ; {
				page, err := w.s.ListEvents(w.ctx, f)
				w.ok(err)
				for i, e := range page {
					if f.Before != "" && e.ID >= f.Before || i > 0 && e.ID >= page[i-1].ID {
						w.Fatalf("%s is out of order", e.ID)
					}
				}
				if n += len(page); len(page) == 0 {
					return n
				}
				f.Before = page[len(page)-1].ID
			}
		}
		same(w, count(storage.EventFilter{UserID: p.id}), 600)
		same(w, count(storage.EventFilter{ClientID: "other"}), 600)
		same(w, count(storage.EventFilter{UserID: p.id, Kind: "odd"}), 0)
		same(w, count(storage.EventFilter{UserID: p.id, From: w.now.Add(10 * time.Millisecond), To: w.now.Add(20 * time.Millisecond)}), 5)
		same(w, count(storage.EventFilter{UserID: "x"}), 0)
		same(w, count(storage.EventFilter{UserID: p.id, Kinds: []string{"odd", "other"}}), 0)
		same(w, count(storage.EventFilter{UserID: q.id, Kinds: []string{"odd", "paged"}}), 600)
	})
}
