package storagetest

import (
	"time"

	"sallyport/storage"
)

func (w *world) key() storage.Key {
	return storage.Key{
		ID: ordered[storage.KeyID](w.now), Use: "oidc", Alg: "ES256", KEK: "kek-1", Sealed: []byte{1, 2, 3}, CreatedAt: w.now,
		ActiveAt: w.now.Add(time.Hour), RetiredAt: w.now.Add(2 * time.Hour), ExpiresAt: w.now.Add(3 * time.Hour),
	}
}

func keys(w *world) {
	version := func() int64 {
		v, err := w.s.Versions(w.ctx)
		w.ok(err)
		return v["keys"]
	}
	w.test("of servers that start at once one makes the first keys", func(w *world) {
		w.one(racers, func(int) error { return w.s.AddKeys(w.ctx, []storage.Key{w.key(), w.key()}, true, nil) })
		all, err := w.s.Keys(w.ctx, w.now)
		w.ok(err)
		same(w, len(all), 2)
	})
	w.test("a key comes back until it expires, and again when it is changed", func(w *world) {
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
	w.test("a taken ID is refused with all keys beside it", func(w *world) {
		k, fresh, before := w.key(), w.key(), version()
		w.ok(w.s.AddKeys(w.ctx, []storage.Key{k}, false, nil))
		w.is(w.s.AddKeys(w.ctx, []storage.Key{fresh, k}, false, nil), storage.ErrConflict)
		same(w, version(), before+1)
		w.is(w.s.UpdateKey(w.ctx, fresh, nil), storage.ErrNotFound)
	})
	w.test("the first keys are no longer made where there are keys", func(w *world) {
		same(w, w.winners(racers, func(int) error { return w.s.AddKeys(w.ctx, []storage.Key{w.key()}, true, nil) }), 0)
	})
}
