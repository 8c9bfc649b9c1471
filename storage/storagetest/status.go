package storagetest

import (
	"time"

	"sallyport/storage"
)

func statuses(w *world) {
	w.test("a status comes back by its exchange, with its account, and by its ID", statusRoundTrip)
	w.test("an unknown status is not found, and one kind of ID is not another", func(w *world) {
		s := w.initiated(w.opened(), w.someone())
		for _, id := range append(malformed(string(s.ID)), string(s.Exchange)) {
			_, err := w.s.Status(w.ctx, storage.StatusID(id), w.now)
			w.is(err, storage.ErrNotFound)
		}
		for _, id := range append(malformed(string(s.Exchange)), string(s.ID)) {
			_, _, err := w.s.StatusByExchange(w.ctx, storage.ExchangeID(id), w.now)
			w.is(err, storage.ErrNotFound)
		}
	})
	w.test("a decoy has no account", func(w *world) {
		s := w.initiated(w.opened(), person{})
		got, account, err := w.s.StatusByExchange(w.ctx, s.Exchange, w.now)
		w.ok(err)
		if account != nil || got.UserID != "" {
			w.Fatalf("a decoy has account %+v", account)
		}
	})
	w.test("a new try of a method supersedes those before it, if asked", func(w *world) {
		p, r := w.someone(), w.opened()
		first, elsewhere := w.initiated(r, p), w.initiated(w.opened(), p)
		other := w.try(r, p)
		other.Method = "recovery"
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: other, MaxInitiations: 20}, w.now))
		w.initiated(r, p)
		same(w, w.state(first.ID), storage.StatusInitiated)
		second := w.try(r, p)
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: second, MaxInitiations: 20, Supersede: true}, w.now))
		same(w, w.state(first.ID), storage.StatusSuperseded)
		same(w, w.state(second.ID), storage.StatusInitiated)
		same(w, w.state(other.ID), storage.StatusInitiated)
		same(w, w.state(elsewhere.ID), storage.StatusInitiated)
		same(w, w.request(r).Initiations, 4)
	})
	w.test("racing initiations never pass their bound", func(w *world) {
		p, r := w.someone(), w.opened()
		won := w.winners(racers, func(int) error {
			return w.s.Initiate(w.ctx, storage.NewStatus{Status: w.try(r, p), MaxInitiations: 5}, w.now)
		})
		same(w, won, 5)
		same(w, w.request(r).Initiations, 5)
	})
	w.test("a request that is over or expired begins no try", func(w *world) {
		p, r := w.someone(), w.opened()
		n := storage.NewStatus{Status: w.try(r, p), MaxInitiations: 20}
		w.is(w.s.Initiate(w.ctx, n, w.now.Add(time.Hour)), storage.ErrConflict)
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: r, State: storage.RequestCancelled, Now: w.now}, nil))
		w.is(w.s.Initiate(w.ctx, n, w.now), storage.ErrConflict)
		n.Status.Request = random[storage.RequestID]()
		w.is(w.s.Initiate(w.ctx, n, w.now), storage.ErrConflict)
	})
	w.test("the newest verified status of a request is found", verifiedStatus)
	w.test("a status is cancelled once, by its exchange", func(w *world) {
		s := w.initiated(w.opened(), w.someone())
		w.one(racers, func(int) error { return w.s.CancelStatus(w.ctx, s.Exchange, w.now, nil) })
		same(w, w.state(s.ID), storage.StatusCancelled)
		w.is(w.s.CancelStatus(w.ctx, random[storage.ExchangeID](), w.now, nil), storage.ErrConflict)
	})
}

func verifiedStatus(w *world) {
	p, q, r := w.someone(), w.someone(), w.opened()
	find := func(usage string, user storage.UserID) (storage.Status, error) {
		return w.s.VerifiedStatus(w.ctx, r, usage, user, w.now.Add(time.Minute))
	}
	var last storage.Status
	for i := range 2 {
		last = w.initiated(r, p)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now.Add(time.Duration(i) * time.Second), Status: &storage.StatusMove{
			Exchange: last.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified,
		}}))
	}
	w.initiated(r, p)
	got, err := find("second", p.id)
	w.ok(err)
	same(w, got.ID, last.ID)
	same(w, got.VerifiedAt, w.now.Add(time.Second))
	_, err = find("first", p.id)
	w.is(err, storage.ErrNotFound)
	_, err = find("second", q.id)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.VerifiedStatus(w.ctx, r, "second", p.id, last.ExpiresAt)
	w.is(err, storage.ErrNotFound)
}

func statusRoundTrip(w *world) {
	p := w.someone()
	s := w.try(w.opened(), p)
	s.Browser, s.Data = []byte("hash of a cookie"), []byte("two\nlines\x00")
	m, e := w.message(), w.event(p)
	w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: s, MaxInitiations: 1, Messages: []storage.Message{m}, Events: []storage.Event{e}}, w.now))
	got, account, err := w.s.StatusByExchange(w.ctx, s.Exchange, w.now)
	w.ok(err)
	if len(got.RequestHash) == 0 {
		w.Error("the hash of the request is missing")
	}
	want := s
	want.Exchange, want.Request, want.RequestHash = "", "", got.RequestHash
	same(w, got, want)
	same(w, *account, w.account(p.id))
	got, err = w.s.Status(w.ctx, s.ID, w.now)
	w.ok(err)
	same(w, got, want)
	same(w, w.told(e), true)
	_, _, err = w.s.StatusByExchange(w.ctx, s.Exchange, s.ExpiresAt)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.Status(w.ctx, s.ID, s.ExpiresAt)
	w.is(err, storage.ErrNotFound)
}
