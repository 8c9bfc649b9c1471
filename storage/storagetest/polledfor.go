package storagetest

import (
	"time"

	"sallyport/storage"
)

// polledFor are requests that were created for a user.
func polledFor(w *fixture) {
	w.test("a request for a user is found by its user, newest first, while it is pending", foundFor)
	w.test("a request for a user is ended by no other", func(w *fixture) {
		p, other := w.addUser(), w.addUser()
		r := w.polledRequestFor(p)
		w.is(w.s.FinishRequest(w.ctx, w.approving(r, other)), storage.ErrConflict)
		for _, user := range []storage.UserID{other.id, ""} {
			w.is(w.s.DenyPolled(w.ctx, storage.PolledDenial{ID: r.ID, User: user, Messages: w.pings(), Now: w.now}), storage.ErrConflict)
		}
		same(w, len(w.pinged()), 0)
		same(w, w.polledNow(r, w.now).Request.State, storage.PolledPending)
		w.ok(w.s.FinishRequest(w.ctx, w.approving(r, p)))
	})
	w.test("the end of a request is told once, whoever of concurrent callers ends it", func(w *fixture) {
		p := w.addUser()
		r := w.polledRequestFor(p)
		finishes := make([]storage.Finish, racers)
		for i := range finishes {
			finishes[i] = w.approving(r, p)
			finishes[i].Messages = w.pings()
		}
		denials := make([]storage.PolledDenial, racers)
		for i := range denials {
			denials[i] = storage.PolledDenial{ID: r.ID, User: p.id, Messages: w.pings(), Now: w.now}
		}
		w.one(racers, func(i int) error {
			if i%2 == 0 {
				return w.s.DenyPolled(w.ctx, denials[i])
			}
			return w.s.FinishRequest(w.ctx, finishes[i])
		})
		same(w, len(w.pinged()), 1)
	})
	w.test("requests are counted where they are stored, and one beyond the limit leaves nothing", func(w *fixture) {
		p := w.addUser()
		counter := storage.Throttle{Key: storage.ThrottleKey{Bucket: "send", Subject: []byte("requests of " + string(p.id))},
			Schedule: storage.Schedule{Free: 2, First: time.Minute, Cap: time.Minute, Forget: time.Minute, Fixed: true}}
		codes := make([]storage.PolledRequest, racers)
		for i := range codes {
			codes[i] = w.polledRequest()
			codes[i].UserID, codes[i].UserCode = p.id, ""
		}
		got := w.winners(racers, func(i int) error {
			return w.s.CreatePolled(w.ctx, storage.NewPolled{Request: codes[i], Sends: []storage.Throttle{counter}, Messages: w.pings()})
		})
		list, err := w.s.PolledOf(w.ctx, p.id, w.now, racers)
		w.ok(err)
		if got != 3 || len(list) != 3 || len(w.pinged()) != 3 {
			w.Errorf("%d stored, %d listed, want 3 with a message each", got, len(list))
		}
	})
	w.test("a request that nobody is asked for is found by nobody", func(w *fixture) {
		r := w.polledRequest()
		r.UserCode = ""
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		for _, user := range []storage.UserID{"", w.addUser().id} {
			list, err := w.s.PolledOf(w.ctx, user, w.now, 10)
			w.ok(err)
			same(w, len(list), 0)
		}
		_, err := w.s.PolledByUserCode(w.ctx, "", w.now)
		w.is(err, storage.ErrNotFound)
		same(w, w.polledNow(r, w.now).Request.State, storage.PolledPending)
	})
}

func (w *fixture) polledRequestFor(p person) storage.PolledRequest {
	r := w.polledRequest()
	r.UserID, r.UserCode = p.id, ""
	w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
	return r
}

func (w *fixture) pings() []storage.Message {
	return []storage.Message{{ID: random[storage.MessageID](), Kind: storage.BackchannelPing, Recipient: "app", Data: map[string]string{"x": "y"},
		CreatedAt: w.now, NextAt: w.now, ExpiresAt: w.now.Add(time.Minute)}}
}

// pinged leases the messages to clients whose requests have ended.
func (w *fixture) pinged() []storage.Message {
	list, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: storage.BackchannelPing, Now: w.now, For: time.Hour, Limit: 100})
	w.ok(err)
	return list
}

func foundFor(w *fixture) {
	p, other := w.addUser(), w.addUser()
	var want []storage.PolledRequest
	for i := range 3 {
		r := w.polledRequest()
		r.UserID, r.UserCode = p.id, ""
		r.CreatedAt = w.now.Add(time.Duration(i) * time.Second)
		r.Details.Message, r.Details.Counted = "Pay 5 to \"ü\"", "app|ada"
		r.Details.Ping = &storage.Ping{Code: r.Code, Token: "secret of the client"}
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		r.Code = ""
		want = append([]storage.PolledRequest{r}, want...)
	}
	w.polledRequestFor(other)
	gone := w.polledRequestFor(p)
	w.ok(w.s.DenyPolled(w.ctx, storage.PolledDenial{ID: gone.ID, User: p.id, Now: w.now}))
	list, err := w.s.PolledOf(w.ctx, p.id, w.now, 10)
	w.ok(err)
	same(w, list, want)
	list, err = w.s.PolledOf(w.ctx, p.id, w.now, 2)
	w.ok(err)
	same(w, list, want[:2])
	got, err := w.s.Polled(w.ctx, want[0].ID, w.now)
	w.ok(err)
	same(w, got, want[0])
	list, err = w.s.PolledOf(w.ctx, p.id, want[0].ExpiresAt, 10)
	w.ok(err)
	same(w, len(list), 0)
}
