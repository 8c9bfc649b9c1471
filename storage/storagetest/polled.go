package storagetest

import (
	"net/url"
	"time"

	"sallyport/storage"
)

const pollingGrant = "urn:ietf:params:oauth:grant-type:device_code"

func (w *fixture) polledRequest() storage.PolledRequest {
	return storage.PolledRequest{ID: random[storage.PolledID](), GrantType: pollingGrant, Code: random[string](), UserCode: random[string](), ClientID: "app",
		Details: storage.PolledDetails{Params: url.Values{"scope": {"openid"}, "resource": {"https://a.example", "https://b.example"}}, Address: "192.0.2.1",
			Country: "DE", Agent: "tv ü \" \\"},
		State: storage.PolledPending, Interval: 5 * time.Second, CreatedAt: w.now, ExpiresAt: w.now.Add(10 * time.Minute)}
}

func (w *fixture) polledNow(r storage.PolledRequest, now time.Time) storage.Polled {
	w.Helper()
	got, err := w.s.Poll(w.ctx, storage.Poll{Code: r.Code, GrantType: r.GrantType, ClientID: r.ClientID, Slack: time.Second, Slower: 5 * time.Second, Now: now})
	w.ok(err)
	return got
}

// approving returns the end of a login of a user for a request.
func (w *fixture) approving(r storage.PolledRequest, p person) storage.Finish {
	session := w.signedIn(p)
	code := w.code(p, session.ID)
	return storage.Finish{Now: w.now, Code: code, Polled: &storage.PolledEnd{ID: r.ID, User: p.id, GrantID: code.ID, Until: w.now.Add(time.Minute)}}
}

func polled(w *fixture) {
	w.test("a polled request is found by its ID and what a person types, while it is pending", foundPolled)
	w.test("a poll is its client's, with the grant type of the request", func(w *fixture) {
		r := w.polledRequest()
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		for _, p := range []storage.Poll{
			{Code: r.Code, GrantType: r.GrantType, ClientID: "other"}, {Code: r.Code, GrantType: r.GrantType, ClientID: "app\x00"},
			{Code: r.Code, GrantType: "other", ClientID: "app"}, {Code: r.UserCode, GrantType: r.GrantType, ClientID: "app"},
			{Code: "", GrantType: r.GrantType, ClientID: "app"}, {Code: string(r.ID), GrantType: r.GrantType, ClientID: "app"},
		} {
			p.Now = w.now
			_, err := w.s.Poll(w.ctx, p)
			w.is(err, storage.ErrNotFound)
		}
		same(w, w.polledNow(r, w.now).TooSoon, false) // nobody else's poll counted
	})
	w.test("polls that come too soon slow down for good", pollsTooSoon)
	w.test("polls of a request that cannot be won are not counted", pollsInVain)
	w.test("of concurrent polls all but one come too soon", func(w *fixture) {
		r := w.polledRequest()
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		w.one(racers, func(int) error {
			got, err := w.s.Poll(w.ctx, storage.Poll{Code: r.Code, GrantType: r.GrantType, ClientID: "app", Slower: 5 * time.Second, Now: w.now})
			if err == nil && got.TooSoon {
				return storage.ErrConflict
			}
			return err
		})
	})
	w.test("one of concurrent users ends a request", func(w *fixture) {
		r := w.polledRequest()
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		finishes := make([]storage.Finish, racers)
		for i := range finishes {
			finishes[i] = w.approving(r, w.addUser())
		}
		w.one(racers, func(i int) error {
			if i%4 == 0 {
				return w.s.DenyPolled(w.ctx, storage.PolledDenial{ID: r.ID, Now: w.now})
			}
			return w.s.FinishRequest(w.ctx, finishes[i])
		})
		stored := 0
		for _, f := range finishes {
			if _, err := w.s.Grant(w.ctx, f.Code.ID); err == nil {
				stored++
			}
		}
		got := w.polledNow(r, w.now)
		if want := map[storage.PolledState]int{storage.PolledApproved: 1, storage.PolledDenied: 0}[got.Request.State]; stored != want {
			w.Errorf("%d grants of a request that is %s, want %d", stored, got.Request.State, want)
		}
	})
	w.test("an approved request leads to its grant, for long enough", func(w *fixture) {
		r, p := w.polledRequest(), w.addUser()
		r.ExpiresAt = w.now.Add(time.Second)
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		f := w.approving(r, p)
		w.ok(w.s.FinishRequest(w.ctx, f))
		got := w.polledNow(r, w.now)
		same(w, got.GrantID, f.Code.ID)
		same(w, got.Request.UserID, p.id)
		same(w, got.Request.ExpiresAt, w.now.Add(time.Minute))
		w.is(w.s.DenyPolled(w.ctx, storage.PolledDenial{ID: r.ID, Now: w.now}), storage.ErrConflict)
		w.is(w.s.FinishRequest(w.ctx, w.approving(r, p)), storage.ErrConflict)
	})
	w.test("an expired request ends in nothing, and says so for a while", func(w *fixture) {
		r := w.polledRequest()
		r.ExpiresAt = w.now
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		w.is(w.s.FinishRequest(w.ctx, w.approving(r, w.addUser())), storage.ErrConflict)
		w.is(w.s.DenyPolled(w.ctx, storage.PolledDenial{ID: r.ID, Now: w.now}), storage.ErrConflict)
		_, err := w.s.Sweep(w.ctx, w.now.Add(storage.KeepPolled-time.Second), 100)
		w.ok(err)
		same(w, w.polledNow(r, w.now).Request.State, storage.PolledPending)
		_, err = w.s.Sweep(w.ctx, w.now.Add(storage.KeepPolled), 100)
		w.ok(err)
		_, err = w.s.Poll(w.ctx, storage.Poll{Code: r.Code, GrantType: r.GrantType, ClientID: "app", Now: w.now})
		w.is(err, storage.ErrNotFound)
	})
	polledOfOthers(w)
}

func foundPolled(w *fixture) {
	r := w.polledRequest()
	w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
	want := r
	want.Code, want.UserCode = "", ""
	got, err := w.s.Polled(w.ctx, r.ID, w.now)
	w.ok(err)
	same(w, got, want)
	got, err = w.s.PolledByUserCode(w.ctx, r.UserCode, w.now)
	w.ok(err)
	same(w, got, want)
	twin := w.polledRequest()
	twin.UserCode = r.UserCode
	w.is(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: twin}), storage.ErrConflict)
	for _, code := range []string{"", "x", "\x00", string(r.ID), r.Code} {
		_, err := w.s.PolledByUserCode(w.ctx, code, w.now)
		w.is(err, storage.ErrNotFound)
	}
	_, err = w.s.Polled(w.ctx, r.ID, r.ExpiresAt)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.PolledByUserCode(w.ctx, r.UserCode, r.ExpiresAt)
	w.is(err, storage.ErrNotFound)
	w.ok(w.s.DenyPolled(w.ctx, storage.PolledDenial{ID: r.ID, Now: w.now}))
	_, err = w.s.Polled(w.ctx, r.ID, w.now)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.PolledByUserCode(w.ctx, r.UserCode, w.now)
	w.is(err, storage.ErrNotFound)
	same(w, w.polledNow(r, w.now).Request.State, storage.PolledDenied)
}

func pollsTooSoon(w *fixture) {
	r := w.polledRequest()
	w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
	now := w.now
	for i, poll := range []struct {
		after    time.Duration
		tooSoon  bool
		interval time.Duration
	}{
		{0, false, 5 * time.Second},
		{4 * time.Second, false, 5 * time.Second}, // within the slack
		{4*time.Second - time.Microsecond, true, 10 * time.Second},
		{8 * time.Second, true, 15 * time.Second},
		{14 * time.Second, false, 15 * time.Second},
		{14 * time.Second, false, 15 * time.Second},
	} {
		now = now.Add(poll.after)
		got := w.polledNow(r, now)
		if got.TooSoon != poll.tooSoon || got.Request.Interval != poll.interval {
			w.Errorf("poll %d: too soon %t, interval %s, want %t, %s", i, got.TooSoon, got.Request.Interval, poll.tooSoon, poll.interval)
		}
	}
}

func pollsInVain(w *fixture) {
	r := w.polledRequest()
	w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
	polls := func(name string, now time.Time, tooSoon bool) {
		w.Helper()
		for range 3 {
			got := w.polledNow(r, now)
			if got.TooSoon != tooSoon || got.Request.Interval != 10*time.Minute {
				w.Errorf("%s: too soon %t, interval %s, want %t, 10m0s", name, got.TooSoon, got.Request.Interval, tooSoon)
			}
		}
	}
	for range 120 { // the first is in time, and the others make the interval as long as the life
		w.polledNow(r, w.now)
	}
	polls("pending", w.now, true)
	polls("at the end", r.ExpiresAt.Add(-time.Microsecond), true)
	polls("expired", r.ExpiresAt, false)
	w.ok(w.s.DenyPolled(w.ctx, storage.PolledDenial{ID: r.ID, Now: w.now}))
	polls("denied", w.now, false)

	// A request that is polled as it should be is not written after its end, either.
	r = w.polledRequest()
	w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
	for range 3 {
		got := w.polledNow(r, r.ExpiresAt)
		same(w, got.TooSoon, false)
		same(w, got.Request.Interval, 5*time.Second)
	}
}

func polledOfOthers(w *fixture) {
	w.test("requests leave with their client, and with who approved them", func(w *fixture) {
		w.ok(w.s.PutClient(w.ctx, storage.Client{ID: "leaving with polls", CreatedAt: w.now, UpdatedAt: w.now}, nil))
		r := w.polledRequest()
		r.ClientID = "leaving with polls"
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		w.ok(w.s.DeleteClient(w.ctx, r.ClientID, nil))
		_, err := w.s.Polled(w.ctx, r.ID, w.now)
		w.is(err, storage.ErrNotFound)
		r, p := w.polledRequest(), w.addUser()
		w.ok(w.s.CreatePolled(w.ctx, storage.NewPolled{Request: r}))
		w.ok(w.s.FinishRequest(w.ctx, w.approving(r, p)))
		w.ok(w.s.DeleteUser(w.ctx, p.id, w.now, nil))
		_, err = w.s.Poll(w.ctx, storage.Poll{Code: r.Code, GrantType: r.GrantType, ClientID: "app", Now: w.now})
		w.is(err, storage.ErrNotFound)
	})
}
