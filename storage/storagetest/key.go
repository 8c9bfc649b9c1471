package storagetest

import (
	"time"

	"sallyport/storage"
)

func (w *fixture) key() storage.Key {
	return storage.Key{
		ID: ordered[storage.KeyID](w.now), Use: "oidc", Alg: "ES256", KEK: "kek-1", Sealed: []byte{1, 2, 3}, CreatedAt: w.now,
		ActiveAt: w.now.Add(time.Hour), RetiredAt: w.now.Add(2 * time.Hour), ExpiresAt: w.now.Add(3 * time.Hour),
	}
}

func keys(w *fixture) {
	version := func() int64 {
		v, err := w.s.Versions(w.ctx)
		w.ok(err)
		return v["keys"]
	}
	w.test("one of concurrently starting servers creates the first keys", func(w *fixture) {
		w.one(racers, func(int) error { return w.s.AddKeys(w.ctx, []storage.Key{w.key(), w.key()}, true, nil) })
		all, err := w.s.Keys(w.ctx, w.now)
		w.ok(err)
		same(w, len(all), 2)
	})
	w.test("a key is returned until it expires, also when changed", func(w *fixture) {
		k, before := w.key(), version()
		w.ok(w.s.AddKeys(w.ctx, []storage.Key{k}, false, nil))
		same(w, version(), before+1)
		find := func(now time.Time) (storage.Key, bool) {
			all, err := w.s.Keys(w.ctx, now)
			w.ok(err)
			for _, x := range all {
				if x.ID == k.ID {
					return x, true
				}
			}
			return storage.Key{}, false
		}
		got, _ := find(w.now)
		same(w, got, k)
		k.KEK, k.Sealed, k.RetiredAt, k.ExpiresAt = "kek-2", []byte{9}, time.Time{}, time.Time{}
		w.ok(w.s.UpdateKey(w.ctx, k, nil))
		same(w, version(), before+2)
		got, _ = find(w.now.Add(1000 * time.Hour))
		same(w, got, k)
		k.ExpiresAt = w.now
		w.ok(w.s.UpdateKey(w.ctx, k, nil))
		if _, found := find(w.now); found {
			w.Error("an expired key came back")
		}
		w.is(w.s.UpdateKey(w.ctx, w.key(), nil), storage.ErrNotFound)
	})
	w.test("a taken ID refuses all keys of the call", func(w *fixture) {
		k, fresh, before := w.key(), w.key(), version()
		w.ok(w.s.AddKeys(w.ctx, []storage.Key{k}, false, nil))
		w.is(w.s.AddKeys(w.ctx, []storage.Key{fresh, k}, false, nil), storage.ErrConflict)
		same(w, version(), before+1)
		w.is(w.s.UpdateKey(w.ctx, fresh, nil), storage.ErrNotFound)
	})
	w.test("one of concurrent changes of one version happens, completely", func(w *fixture) {
		k := w.key()
		w.ok(w.s.AddKeys(w.ctx, []storage.Key{k}, false, nil))
		at := version()
		fresh := make([]storage.Key, racers)
		for i := range fresh {
			fresh[i] = w.key()
		}
		w.one(racers, func(i int) error {
			old := k
			old.KEK = string(fresh[i].ID)
			return w.s.ChangeKeys(w.ctx, storage.KeyChange{Version: at, Add: fresh[i : i+1], Change: []storage.Key{old},
				Events: []storage.Event{{ID: ordered[storage.EventID](w.now), At: w.now, Kind: "keys.changed", Actor: string(fresh[i].ID)}}})
		})
		same(w, version(), at+1)
		all, err := w.s.Keys(w.ctx, w.now)
		w.ok(err)
		added, changed := "", ""
		for _, x := range all {
			if x.ID == k.ID {
				changed = x.KEK
			}
			for _, f := range fresh {
				if x.ID == f.ID {
					added += string(f.ID)
				}
			}
		}
		events, err := w.s.ListEvents(w.ctx, storage.EventFilter{Kind: "keys.changed", Limit: 10})
		w.ok(err)
		if added != changed || len(events) != 1 || events[0].Actor != added {
			w.Errorf("added %s, changed by %s, logged %v", added, changed, events)
		}
	})
	w.test("changing an unknown key changes nothing", func(w *fixture) {
		fresh, at := w.key(), version()
		w.is(w.s.ChangeKeys(w.ctx, storage.KeyChange{Version: at, Add: []storage.Key{fresh}, Change: []storage.Key{w.key()}}), storage.ErrNotFound)
		same(w, version(), at)
		w.is(w.s.UpdateKey(w.ctx, fresh, nil), storage.ErrNotFound)
	})
	w.test("without a time all keys are returned, even expired ones", func(w *fixture) {
		k := w.key()
		k.ExpiresAt = w.now
		w.ok(w.s.AddKeys(w.ctx, []storage.Key{k}, false, nil))
		all, err := w.s.Keys(w.ctx, time.Time{})
		w.ok(err)
		found := false
		for _, x := range all {
			found = found || x.ID == k.ID
		}
		same(w, found, true)
	})
	w.test("first keys are refused if there are keys", func(w *fixture) {
		same(w, w.winners(racers, func(int) error { return w.s.AddKeys(w.ctx, []storage.Key{w.key()}, true, nil) }), 0)
	})
}
