package storagetest

import (
	"net/url"
	"reflect"
	"sync"
	"time"

	"sallyport/storage"
)

func (w *fixture) pushedRequest() storage.PushedRequest {
	return storage.PushedRequest{ID: random[storage.PushedID](), ClientID: "app", CreatedAt: w.now, ExpiresAt: w.now.Add(time.Minute),
		Params: url.Values{"client_id": {"app"}, "resource": {"https://a.example", "https://b.example"}, "state": {"ü \" \\"}}}
}

func pushed(w *fixture) {
	w.test("a pushed request is opened again and again, and lives as its first opening says", func(w *fixture) {
		r := w.pushedRequest()
		w.ok(w.s.PushRequest(w.ctx, r))
		first, until := w.now.Add(30*time.Second), w.now.Add(time.Hour)
		for i := range 3 {
			now := first.Add(time.Duration(i) * time.Minute)
			got, err := w.s.OpenPushed(w.ctx, r.ID, "app", now, until.Add(time.Duration(i)*time.Hour))
			w.ok(err)
			want := r
			want.OpenedAt, want.ExpiresAt = first, until
			if !reflect.DeepEqual(got, want) {
				w.Errorf("opened = %+v, want %+v", got, want)
			}
		}
		_, err := w.s.OpenPushed(w.ctx, r.ID, "app", until, until.Add(time.Hour))
		w.is(err, storage.ErrNotFound)
	})
	w.test("a pushed request that nobody opened expires", func(w *fixture) {
		r := w.pushedRequest()
		w.ok(w.s.PushRequest(w.ctx, r))
		_, err := w.s.OpenPushed(w.ctx, r.ID, "app", r.ExpiresAt, w.now.Add(time.Hour))
		w.is(err, storage.ErrNotFound)
	})
	w.test("a pushed request is its client's", func(w *fixture) {
		r := w.pushedRequest()
		w.ok(w.s.PushRequest(w.ctx, r))
		for _, client := range []storage.ClientID{"other", "", "app\x00", "APP"} {
			_, err := w.s.OpenPushed(w.ctx, r.ID, client, w.now, w.now.Add(time.Hour))
			w.is(err, storage.ErrNotFound)
		}
		for _, id := range []storage.PushedID{"", "x", "\x00", random[storage.PushedID]()} {
			_, err := w.s.OpenPushed(w.ctx, id, "app", w.now, w.now.Add(time.Hour))
			w.is(err, storage.ErrNotFound)
		}
		got, err := w.s.OpenPushed(w.ctx, r.ID, "app", w.now, w.now.Add(time.Hour))
		w.ok(err)
		if !got.OpenedAt.Equal(w.now) {
			w.Errorf("opened at %s, want %s: another client's call opened it", got.OpenedAt, w.now)
		}
	})
	w.test("all of many callers get the time of the first opening", func(w *fixture) {
		r := w.pushedRequest()
		w.ok(w.s.PushRequest(w.ctx, r))
		times := make([]time.Time, racers)
		var wg sync.WaitGroup
		for i := range times {
			wg.Go(func() {
				got, err := w.s.OpenPushed(w.ctx, r.ID, "app", w.now.Add(time.Duration(i)*time.Millisecond), w.now.Add(time.Hour))
				if err != nil {
					w.Error(err)
				}
				times[i] = got.OpenedAt
			})
		}
		wg.Wait()
		for _, at := range times {
			if !at.Equal(times[0]) {
				w.Errorf("opened at %s and at %s", at, times[0])
			}
		}
	})
	w.test("a pushed request goes with its client, and after its time", func(w *fixture) {
		w.ok(w.s.PutClient(w.ctx, storage.Client{ID: "leaving", CreatedAt: w.now, UpdatedAt: w.now}, nil))
		r := w.pushedRequest()
		r.ClientID = "leaving"
		w.ok(w.s.PushRequest(w.ctx, r))
		w.ok(w.s.DeleteClient(w.ctx, "leaving", nil))
		_, err := w.s.OpenPushed(w.ctx, r.ID, "leaving", w.now, w.now.Add(time.Hour))
		w.is(err, storage.ErrNotFound)
		w.ok(w.s.PushRequest(w.ctx, w.pushedRequest()))
		swept, err := w.s.Sweep(w.ctx, w.now.Add(time.Minute), 100)
		w.ok(err)
		if swept == 0 {
			w.Error("an expired pushed request is not swept")
		}
	})
}
