package storagetest

import (
	"cmp"
	"time"

	"sallyport/storage"
)

func statuses(w *fixture) {
	w.test("a status is found by its exchange, with its account, and by its ID", statusRoundTrip)
	w.test("an unknown status is not found, nor an ID of another kind", func(w *fixture) {
		s := w.initiated(w.opened(), w.addUser())
		for _, id := range append(malformed(string(s.ID)), string(s.Exchange)) {
			_, err := w.s.Status(w.ctx, storage.StatusID(id), w.now)
			w.is(err, storage.ErrNotFound)
		}
		for _, id := range append(malformed(string(s.Exchange)), string(s.ID)) {
			_, _, err := w.s.StatusByExchange(w.ctx, storage.ExchangeID(id), w.now)
			w.is(err, storage.ErrNotFound)
		}
	})
	w.test("a decoy has no account", func(w *fixture) {
		s := w.initiated(w.opened(), person{})
		got, account, err := w.s.StatusByExchange(w.ctx, s.Exchange, w.now)
		w.ok(err)
		if account != nil || got.UserID != "" {
			w.Fatalf("a decoy has account %+v", account)
		}
	})
	w.test("a new status of a method optionally supersedes earlier ones", func(w *fixture) {
		p, r := w.addUser(), w.opened()
		first, elsewhere := w.initiated(r, p), w.initiated(w.opened(), p)
		other := w.newStatus(r, p)
		other.Method = "recovery"
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: other, MaxInitiations: 20}, w.now))
		w.initiated(r, p)
		same(w, w.state(first.ID), storage.StatusInitiated)
		second := w.newStatus(r, p)
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: second, MaxInitiations: 20, Supersede: true}, w.now))
		same(w, w.state(first.ID), storage.StatusSuperseded)
		same(w, w.state(second.ID), storage.StatusInitiated)
		same(w, w.state(other.ID), storage.StatusInitiated)
		same(w, w.state(elsewhere.ID), storage.StatusInitiated)
		same(w, w.request(r).Initiations, 4)
	})
	w.test("concurrent initiations never exceed their bound", func(w *fixture) {
		p, r := w.addUser(), w.opened()
		won := w.winners(racers, func(int) error {
			return w.s.Initiate(w.ctx, storage.NewStatus{Status: w.newStatus(r, p), MaxInitiations: 5}, w.now)
		})
		same(w, won, 5)
		same(w, w.request(r).Initiations, 5)
	})
	w.test("a request that is over or expired begins no status", func(w *fixture) {
		p, r := w.addUser(), w.opened()
		n := storage.NewStatus{Status: w.newStatus(r, p), MaxInitiations: 20}
		w.is(w.s.Initiate(w.ctx, n, w.now.Add(time.Hour)), storage.ErrConflict)
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: r, State: storage.RequestCancelled, Now: w.now}, nil))
		w.is(w.s.Initiate(w.ctx, n, w.now), storage.ErrConflict)
		n.Status.Request = random[storage.RequestID]()
		w.is(w.s.Initiate(w.ctx, n, w.now), storage.ErrConflict)
	})
	w.test("the newest verified status of a request is found", verifiedStatus)
	w.test("the code that a browser waits for is found", sentStatus)
	w.test("a status is cancelled once, by its exchange", func(w *fixture) {
		s := w.initiated(w.opened(), w.addUser())
		w.one(racers, func(int) error { return w.s.CancelStatus(w.ctx, s.Exchange, w.now, nil) })
		same(w, w.state(s.ID), storage.StatusCancelled)
		w.is(w.s.CancelStatus(w.ctx, random[storage.ExchangeID](), w.now, nil), storage.ErrConflict)
	})
}

func verifiedStatus(w *fixture) {
	p, q, r := w.addUser(), w.addUser(), w.opened()
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

func sentStatus(w *fixture) {
	p, r := w.addUser(), w.opened()
	browser, stranger := []byte("hash of a cookie"), []byte("hash of another")
	send := func(browser []byte, method string, at time.Time, supersede bool) storage.Status {
		s := w.newStatus(r, p)
		s.Browser, s.Method, s.CreatedAt = browser, method, at
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: s, MaxInitiations: 20, Supersede: supersede}, w.now))
		return s
	}
	find := func(q storage.SentQuery) (storage.StatusID, error) {
		if q.Request = cmp.Or(q.Request, r); q.Usage == "" {
			q.Usage = "second"
		}
		if q.Now.IsZero() {
			q.Now = w.now
		}
		s, err := w.s.SentStatus(w.ctx, q)
		return s.ID, err
	}
	own := [][]byte{[]byte("hash under a newer key"), browser}
	mail := send(browser, "email", w.now, false)
	text := send(browser, "sms", w.now.Add(time.Second), false)
	send(stranger, "email", w.now.Add(2*time.Second), false)
	send(nil, "email", w.now.Add(2*time.Second), false)
	for method, want := range map[string]storage.StatusID{"email": mail.ID, "sms": text.ID, "": text.ID} {
		got, err := find(storage.SentQuery{Browser: own, Method: method})
		w.ok(err)
		same(w, got, want)
	}
	for _, q := range []storage.SentQuery{{}, {Browser: [][]byte{[]byte("none")}}, {Browser: own, Usage: "passwordless"}, {Browser: own, Method: "totp"},
		{Browser: own, Request: w.opened()}, {Browser: own, Now: mail.ExpiresAt}} {
		_, err := find(q)
		w.is(err, storage.ErrNotFound)
	}
	newer := send(browser, "email", w.now.Add(3*time.Second), true)
	got, err := find(storage.SentQuery{Browser: own, Method: "email"})
	w.ok(err)
	same(w, got, newer.ID)
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{Exchange: newer.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified}}))
	_, err = find(storage.SentQuery{Browser: own, Method: "email"})
	w.is(err, storage.ErrNotFound)
}

func statusRoundTrip(w *fixture) {
	p := w.addUser()
	s := w.newStatus(w.opened(), p)
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
	same(w, w.logged(e), true)
	_, _, err = w.s.StatusByExchange(w.ctx, s.Exchange, s.ExpiresAt)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.Status(w.ctx, s.ID, s.ExpiresAt)
	w.is(err, storage.ErrNotFound)
}
