package storagetest

import (
	"fmt"
	"time"

	"sallyport/storage"
)

// record reads the record of a message, which must exist.
func (w *fixture) record(id storage.MessageID, now time.Time) storage.MessageRecord {
	w.Helper()
	got, err := w.s.ListMessages(w.ctx, storage.MessageFilter{Now: now, ID: id, Limit: 10})
	w.ok(err)
	same(w, len(got), 1)
	return got[0]
}

// inStates posts a message in each state, one that is leased, and one whose lease ended
// without an outcome. All are to one recipient and expire in an hour.
func (w *fixture) inStates(recipient string) map[string]storage.Message {
	w.Helper()
	out := map[string]storage.Message{}
	post := func(name string) {
		m := w.message()
		m.Kind, m.Recipient, m.Data = "mail", recipient, map[string]string{"code": "123456", "app": "x"}
		out[name] = m
		w.post(m)
	}
	for _, name := range []string{"dead", "delivered", "retrying"} {
		post(name)
	}
	w.leased(w.now)
	settle := func(name string, d storage.Delivery) {
		d.ID, d.Attempt, d.Now = out[name].ID, 1, w.now
		w.ok(w.s.SettleMessage(w.ctx, d))
	}
	settle("dead", storage.Delivery{Dead: true, Error: "550"})
	settle("delivered", storage.Delivery{OK: true})
	settle("retrying", storage.Delivery{NextAt: w.now.Add(10 * time.Minute), Error: "451"})
	post("leased")
	w.leasedOne(w.now, out["leased"].ID)
	post("interrupted")
	_, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: "mail", Now: w.now, Limit: 100}) // ends at once
	w.ok(err)
	post("waiting")
	return out
}

func outboxAdmin(w *fixture) {
	w.test("a listed message has its state and the names of its values, and no value", listedMessages)
	w.test("messages are selected and paged, newest first", pagedMessages)
	w.test("a message is resent unless it is delivered, leased or dropped", func(w *fixture) {
		end := w.now.Add(48 * time.Hour)
		for _, name := range []string{"dead", "delivered", "retrying", "leased", "interrupted", "waiting"} {
			m := w.inStates(random[string]())[name] // the loop leases what is due
			e := w.event(person{})
			before := w.read(m.ID)
			err := w.s.ResendMessage(w.ctx, m.ID, w.now.Add(time.Second), end, []storage.Event{e})
			if name == "delivered" || name == "leased" {
				w.is(err, storage.ErrConflict)
				same(w, w.read(m.ID), before)
				same(w, w.logged(e), false)
				continue
			}
			w.ok(err)
			same(w, w.logged(e), true)
			want := before
			want.NextAt, want.ExpiresAt, want.DeadAt = w.now.Add(time.Second), end, time.Time{}
			same(w, w.read(m.ID), want)
			got := w.leasedOne(w.now.Add(time.Second), m.ID)
			same(w, got.Attempts, before.Attempts+1)
			same(w, got.Data, m.Data)
			w.is(w.s.ResendMessage(w.ctx, m.ID, w.now.Add(time.Second), end, nil), storage.ErrConflict)
			w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: got.Attempts, OK: true, Now: w.now}))
		}
		w.is(w.s.ResendMessage(w.ctx, ordered[storage.MessageID](w.now), w.now, end, nil), storage.ErrConflict)
		w.is(w.s.ResendMessage(w.ctx, "x", w.now, end, nil), storage.ErrConflict)
	})
	w.test("a message is dropped unless it is delivered or leased, and then never sent", func(w *fixture) {
		for _, name := range []string{"dead", "delivered", "retrying", "leased", "interrupted", "waiting"} {
			m := w.inStates(random[string]())[name] // the loop leases what is due
			e := w.event(person{})
			before := w.read(m.ID)
			now := w.now.Add(time.Second)
			err := w.s.DropMessage(w.ctx, m.ID, now, []storage.Event{e})
			if name == "delivered" || name == "leased" {
				w.is(err, storage.ErrConflict)
				same(w, w.read(m.ID), before)
				same(w, w.logged(e), false)
				continue
			}
			w.ok(err)
			same(w, w.logged(e), true)
			want := before
			want.LastError, want.Data = storage.MessageDropped, nil
			if name != "dead" {
				want.DeadAt = now
			}
			same(w, w.read(m.ID), want)
			w.is(w.s.DropMessage(w.ctx, m.ID, now, nil), storage.ErrConflict)
			w.is(w.s.ResendMessage(w.ctx, m.ID, now, now.Add(time.Hour), nil), storage.ErrConflict)
			for _, got := range w.leased(w.now.Add(30 * time.Minute)) {
				if got.ID == m.ID {
					w.Errorf("the dropped message (%s) is sent", name)
				}
			}
		}
		w.is(w.s.DropMessage(w.ctx, "x", w.now, nil), storage.ErrConflict)
	})
	w.test("of a resend, a drop and leases at the same moment a message has one fate", racingOperators)
}

func listedMessages(w *fixture) {
	all := w.inStates(random[string]())
	for name, want := range map[string]storage.MessageRecord{
		"waiting": {State: storage.MessageWaiting}, "leased": {State: storage.MessageRetrying, Leased: true},
		"interrupted": {State: storage.MessageRetrying}, "retrying": {State: storage.MessageRetrying},
		"dead": {State: storage.MessageDead}, "delivered": {State: storage.MessageDelivered, Erased: true},
	} {
		want.Message = w.read(all[name].ID)
		want.Data = nil
		if !want.Erased {
			want.Values = []string{"app", "code"}
		}
		got := w.record(all[name].ID, w.now)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			w.Errorf("%s is\n%+v, want\n%+v", name, got, want)
		}
		if name == "delivered" {
			continue
		}
		late := w.record(all[name].ID, w.now.Add(time.Hour)) // all have expired
		same(w, late.State, storage.MessageDead)
		same(w, late.Leased, false)
	}
	w.ok(w.s.DropMessage(w.ctx, all["dead"].ID, w.now, nil))
	same(w, w.record(all["dead"].ID, w.now).Erased, true)
	got, err := w.s.ListMessages(w.ctx, storage.MessageFilter{Now: w.now, ID: "x", Limit: 10})
	w.ok(err)
	same(w, len(got), 0)
}

func pagedMessages(w *fixture) {
	recipient := random[string]()
	all := w.inStates(recipient)
	sms := w.message()
	sms.Kind, sms.Recipient = "sms", recipient
	w.post(sms)
	for name, tc := range map[string]struct {
		f    storage.MessageFilter
		want int
	}{
		"all":            {storage.MessageFilter{}, len(all) + 1},
		"waiting":        {storage.MessageFilter{State: storage.MessageWaiting}, 2},
		"retrying":       {storage.MessageFilter{State: storage.MessageRetrying}, 3},
		"delivered":      {storage.MessageFilter{State: storage.MessageDelivered}, 1},
		"dead":           {storage.MessageFilter{State: storage.MessageDead}, 1},
		"mail":           {storage.MessageFilter{Kind: "mail"}, len(all)},
		"dead mail":      {storage.MessageFilter{Kind: "mail", State: storage.MessageDead}, 1},
		"dead sms":       {storage.MessageFilter{Kind: "sms", State: storage.MessageDead}, 0},
		"before invalid": {storage.MessageFilter{Before: "x"}, 0},
	} {
		tc.f.Now, tc.f.Recipient = w.now, recipient
		n := 0
		for tc.f.Limit = 2; ; {
			page, err := w.s.ListMessages(w.ctx, tc.f)
			w.ok(err)
			for _, m := range page {
				if n++; tc.f.Before != "" && m.ID >= tc.f.Before {
					w.Fatalf("%s: %s is out of order", name, m.ID)
				}
				tc.f.Before = m.ID
			}
			if len(page) == 0 {
				break
			}
		}
		if n != tc.want {
			w.Errorf("%s: %d messages, want %d", name, n, tc.want)
		}
	}
}

// racingOperators lets operators drop a message and send it while servers lease it.
func racingOperators(w *fixture) {
	for range 10 {
		m := w.message()
		w.post(m)
		var leases [racers]int
		var dropped [racers]bool
		w.winners(racers, func(i int) error {
			switch i % 3 {
			case 0:
				err := w.s.DropMessage(w.ctx, m.ID, w.now, nil)
				dropped[i] = err == nil
				return err
			case 1:
				return w.s.ResendMessage(w.ctx, m.ID, w.now, w.now.Add(time.Hour), nil)
			}
			got, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: m.Kind, Now: w.now, For: time.Minute, Limit: 100})
			for _, x := range got {
				if x.ID == m.ID {
					leases[i]++
				}
			}
			return err
		})
		fates := 0
		for i := range racers {
			if fates += leases[i]; dropped[i] {
				fates++
			}
		}
		same(w, fates, 1)
	}
}
