package storagetest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"sallyport/storage"
)

func apiKeys(w *fixture) {
	w.test("a key round-trips, by its ID and by each of its hashes", apiKeyRoundTrip)
	w.test("an unknown or malformed key ID is not found", func(w *fixture) {
		for _, id := range []storage.APIKeyID{"", "nobody", "a\x00b", ordered[storage.APIKeyID](w.now)} {
			_, err := w.s.APIKey(w.ctx, id)
			w.is(err, storage.ErrNotFound)
			_, err = w.s.APIKeyLine(w.ctx, id)
			w.is(err, storage.ErrNotFound)
			w.is(w.s.DeleteAPIKey(w.ctx, id, nil), storage.ErrNotFound)
			w.is(w.s.ReplaceAPIKey(w.ctx, storage.APIKey{ID: id}, w.now, nil), storage.ErrConflict)
		}
		for _, hash := range [][]byte{nil, {}, sum()} {
			_, err := w.s.APIKeyByHash(w.ctx, hash)
			w.is(err, storage.ErrNotFound)
		}
	})
	w.test("keys are listed by name", func(w *fixture) {
		for _, name := range []string{"b", "B", "a-1", "a_1", "a"} {
			k := w.apiKey()
			k.Name = name
			w.ok(w.s.CreateAPIKey(w.ctx, k, nil))
		}
		all, err := w.s.ListAPIKeys(w.ctx)
		w.ok(err)
		if len(all) < 5 || !slices.IsSortedFunc(all, func(a, b storage.APIKey) int { return cmp.Compare(a.Name, b.Name) }) {
			w.Fatalf("not in order: %+v", all)
		}
	})
	w.test("names and hashes are unique", apiKeyTaken)
	w.test("a key changed since it was read is not replaced", apiKeyReplaced)
	w.test("a deleted key is not found, and its name is free", apiKeyDeleted)
	w.test("a hash is found by a unique prefix", apiKeyNamed)
	w.test("recording use changes nothing else", apiKeyTouched)
	w.test("a key is returned with its makers", apiKeyDescends)
	w.test("a key without a valid maker is not created", apiKeyWithoutMaker)
	w.test("a key created while its maker is deleted has no maker", apiKeyOrphaned)
}

// sum returns a random SHA-256 sum.
func sum() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}

func (w *fixture) apiKey() storage.APIKey {
	return storage.APIKey{
		ID: ordered[storage.APIKeyID](w.now), Name: random[string](), Hashes: [][]byte{sum(), sum()},
		Dialects: []string{"admin", "stytch"}, Verbs: []string{"read"}, Project: "project-live-1", App: "Shop <&>",
		Disabled: true, ExpiresAt: w.now.Add(time.Hour), CreatedAt: w.now, UpdatedAt: w.now,
	}
}

func (w *fixture) storedKey(id storage.APIKeyID) storage.APIKey {
	w.Helper()
	k, err := w.s.APIKey(w.ctx, id)
	w.ok(err)
	return k
}

func (w *fixture) version(of string) int64 {
	w.Helper()
	v, err := w.s.Versions(w.ctx)
	w.ok(err)
	return v[of]
}

func apiKeyRoundTrip(w *fixture) {
	k, e := w.apiKey(), w.event(person{})
	before := w.version("api_keys")
	w.ok(w.s.CreateAPIKey(w.ctx, k, []storage.Event{e}))
	same(w, w.logged(e), true)
	same(w, w.version("api_keys"), before+1)
	same(w, w.storedKey(k.ID), k)
	for _, hash := range k.Hashes {
		got, err := w.s.APIKeyByHash(w.ctx, hash)
		w.ok(err)
		same(w, got, []storage.APIKey{k})
	}
	old := k.Hashes
	k.Name, k.Hashes, k.Dialects, k.Verbs = random[string](), [][]byte{sum()}, []string{"streambird"}, []string{"read", "write"}
	k.Project, k.App, k.Disabled, k.ExpiresAt, k.UpdatedAt = "", "", false, time.Time{}, w.now.Add(time.Minute)
	e = w.event(person{})
	w.ok(w.s.ReplaceAPIKey(w.ctx, k, w.now, []storage.Event{e}))
	same(w, w.logged(e), true)
	same(w, w.version("api_keys"), before+2)
	same(w, w.storedKey(k.ID), k)
	for _, hash := range old {
		_, err := w.s.APIKeyByHash(w.ctx, hash)
		w.is(err, storage.ErrNotFound)
	}
}

func apiKeyTaken(w *fixture) {
	k, other, e := w.apiKey(), w.apiKey(), w.event(person{})
	w.ok(w.s.CreateAPIKey(w.ctx, k, nil))
	w.ok(w.s.CreateAPIKey(w.ctx, other, nil))
	before := w.version("api_keys")
	for _, change := range []func(*storage.APIKey){
		func(x *storage.APIKey) { x.Name = k.Name },
		func(x *storage.APIKey) { x.Hashes = [][]byte{k.Hashes[0]} },
		func(x *storage.APIKey) { x.Hashes = [][]byte{sum(), k.Hashes[1]} },
	} {
		fresh, changed := w.apiKey(), other
		change(&fresh)
		w.is(w.s.CreateAPIKey(w.ctx, fresh, []storage.Event{e}), storage.ErrConflict)
		_, err := w.s.APIKey(w.ctx, fresh.ID)
		w.is(err, storage.ErrNotFound)
		change(&changed)
		changed.UpdatedAt = w.now.Add(time.Minute)
		w.is(w.s.ReplaceAPIKey(w.ctx, changed, w.now, []storage.Event{e}), storage.ErrConflict)
		same(w, w.storedKey(other.ID), other)
	}
	same(w, w.logged(e), false)
	same(w, w.version("api_keys"), before)

	name, hash := random[string](), sum()
	w.one(racers, func(int) error {
		x := w.apiKey()
		x.Name = name
		return w.s.CreateAPIKey(w.ctx, x, nil)
	})
	w.one(racers, func(int) error {
		x := w.apiKey()
		x.Hashes = [][]byte{hash}
		return w.s.CreateAPIKey(w.ctx, x, nil)
	})
}

func apiKeyReplaced(w *fixture) {
	k, e := w.apiKey(), w.event(person{})
	w.ok(w.s.CreateAPIKey(w.ctx, k, nil))
	before, fresh := w.version("api_keys"), make([][]byte, racers)
	w.is(w.s.ReplaceAPIKey(w.ctx, k, w.now.Add(time.Microsecond), []storage.Event{e}), storage.ErrConflict)
	if w.logged(e) {
		w.Error("the event of a refused change was written")
	}
	w.one(racers, func(i int) error {
		next := k
		fresh[i] = sum()
		next.Hashes, next.UpdatedAt = [][]byte{fresh[i], k.Hashes[0]}, w.now.Add(time.Duration(i+1)*time.Second)
		return w.s.ReplaceAPIKey(w.ctx, next, w.now, nil)
	})
	same(w, w.version("api_keys"), before+1)
	// Only the secrets of the successful call are stored.
	got := w.storedKey(k.ID)
	winner := slices.IndexFunc(fresh, func(hash []byte) bool { return bytes.Equal(hash, got.Hashes[0]) })
	if winner < 0 || !got.UpdatedAt.Equal(w.now.Add(time.Duration(winner+1)*time.Second)) {
		w.Fatalf("the key is mixed: %+v", got)
	}
	for i, hash := range fresh {
		want := storage.ErrNotFound
		if i == winner {
			want = nil
		}
		_, err := w.s.APIKeyByHash(w.ctx, hash)
		w.is(err, want)
	}
}

func apiKeyDeleted(w *fixture) {
	k, e := w.apiKey(), w.event(person{})
	w.ok(w.s.CreateAPIKey(w.ctx, k, nil))
	before := w.version("api_keys")
	w.ok(w.s.DeleteAPIKey(w.ctx, k.ID, []storage.Event{e}))
	same(w, w.logged(e), true)
	same(w, w.version("api_keys"), before+1)
	_, err := w.s.APIKeyByHash(w.ctx, k.Hashes[0])
	w.is(err, storage.ErrNotFound)
	w.is(w.s.ReplaceAPIKey(w.ctx, k, k.UpdatedAt, nil), storage.ErrConflict)
	w.is(w.s.DeleteAPIKey(w.ctx, k.ID, nil), storage.ErrNotFound)
	k.ID = ordered[storage.APIKeyID](w.now)
	w.ok(w.s.CreateAPIKey(w.ctx, k, nil))
}

func apiKeyTouched(w *fixture) {
	k, unused := w.apiKey(), w.apiKey()
	w.ok(w.s.CreateAPIKey(w.ctx, k, nil))
	w.ok(w.s.CreateAPIKey(w.ctx, unused, nil))
	before := w.version("api_keys")
	note := func(at time.Time) {
		w.Helper()
		w.ok(w.s.TouchAPIKeys(w.ctx, map[storage.APIKeyID]time.Time{k.ID: at, random[storage.APIKeyID](): at, "nobody": at}))
	}
	used := w.now.Add(time.Hour)
	note(used)
	note(used.Add(-time.Minute))
	want := k
	want.LastUsedAt = used.Truncate(time.Second)
	same(w, w.storedKey(k.ID), want)
	same(w, w.storedKey(unused.ID), unused)
	same(w, w.version("api_keys"), before)
	// A caller that read the key before its use can still change it, and LastUsedAt stays.
	k.Name, k.UpdatedAt = random[string](), w.now.Add(time.Minute)
	w.ok(w.s.ReplaceAPIKey(w.ctx, k, w.now, nil))
	k.LastUsedAt = want.LastUsedAt
	same(w, w.storedKey(k.ID), k)
	w.ok(w.s.TouchAPIKeys(w.ctx, nil))
}

// madeBy stores an enabled key of a maker.
func (w *fixture) madeBy(maker storage.APIKeyID) storage.APIKey {
	w.Helper()
	k := w.apiKey()
	k.Maker, k.Disabled = maker, false
	w.ok(w.s.CreateAPIKey(w.ctx, k, nil))
	return k
}

func (w *fixture) line(id storage.APIKeyID) []storage.APIKey {
	w.Helper()
	line, err := w.s.APIKeyLine(w.ctx, id)
	w.ok(err)
	return line
}

func apiKeyDescends(w *fixture) {
	first := w.madeBy("")
	second := w.madeBy(first.ID)
	third := w.madeBy(second.ID)
	w.madeBy(second.ID) // a sibling is not a maker
	want := []storage.APIKey{third, second, first}
	same(w, w.line(third.ID), want)
	same(w, w.line(first.ID), want[2:])
	got, err := w.s.APIKeyByHash(w.ctx, third.Hashes[1])
	w.ok(err)
	same(w, got, want)
	same(w, w.storedKey(third.ID), third)
	// Replacing a key does not change its maker.
	third.Maker, third.UpdatedAt = "", w.now.Add(time.Minute)
	w.ok(w.s.ReplaceAPIKey(w.ctx, third, w.now, nil))
	third.Maker = second.ID
	same(w, w.line(third.ID), []storage.APIKey{third, second, first})
	w.ok(w.s.DeleteAPIKey(w.ctx, second.ID, nil))
	same(w, w.line(third.ID), []storage.APIKey{third})
	last := first
	for range storage.MaxMakers + 2 {
		last = w.madeBy(last.ID)
	}
	if line := w.line(last.ID); len(line) != storage.MaxMakers+1 || line[storage.MaxMakers].Maker == "" {
		w.Errorf("a chain of %d, want %d", len(line), storage.MaxMakers+1)
	}
}

func apiKeyWithoutMaker(w *fixture) {
	gone, off, over := w.madeBy(""), w.apiKey(), w.apiKey()
	w.ok(w.s.DeleteAPIKey(w.ctx, gone.ID, nil))
	w.ok(w.s.CreateAPIKey(w.ctx, off, nil)) // disabled
	over.Disabled, over.ExpiresAt = false, w.now
	w.ok(w.s.CreateAPIKey(w.ctx, over, nil))
	before := w.version("api_keys")
	for name, maker := range map[string]storage.APIKeyID{"deleted": gone.ID, "disabled": off.ID, "expired": over.ID, "unknown": ordered[storage.APIKeyID](w.now)} {
		w.test(name, func(w *fixture) {
			k, e := w.apiKey(), w.event(person{})
			k.Maker = maker
			w.is(w.s.CreateAPIKey(w.ctx, k, []storage.Event{e}), storage.ErrNotFound)
			same(w, w.logged(e), false)
			_, err := w.s.APIKey(w.ctx, k.ID)
			w.is(err, storage.ErrNotFound)
		})
	}
	same(w, w.version("api_keys"), before)
}

func apiKeyOrphaned(w *fixture) {
	maker := w.madeBy("")
	made, late := make([]storage.APIKey, racers+1), make([]bool, racers+1)
	var gone atomic.Bool
	w.winners(racers+1, func(i int) error {
		if i == racers/2 {
			err := w.s.DeleteAPIKey(w.ctx, maker.ID, nil)
			gone.Store(true)
			return err
		}
		k := w.apiKey()
		k.Maker, k.Disabled, late[i] = maker.ID, false, gone.Load()
		err := w.s.CreateAPIKey(w.ctx, k, nil)
		if errors.Is(err, storage.ErrNotFound) {
			return storage.ErrConflict
		}
		made[i] = k
		return err
	})
	for i, k := range made {
		if k.ID == "" {
			continue
		}
		if late[i] {
			w.Error("a deleted key made another one")
		}
		same(w, w.line(k.ID), []storage.APIKey{k}) // its maker does not exist
	}
	k := w.apiKey()
	k.Maker = maker.ID
	w.is(w.s.CreateAPIKey(w.ctx, k, nil), storage.ErrNotFound)
}

func apiKeyNamed(w *fixture) {
	k := w.apiKey()
	copy(k.Hashes[1], k.Hashes[0][:8]) // with the same 64 bits
	lone := bytes.Repeat([]byte{0xff}, 32)
	copy(lone[8:], sum())
	k.Hashes = append(k.Hashes, lone)
	w.ok(w.s.CreateAPIKey(w.ctx, k, nil))
	for _, prefix := range [][]byte{lone[:8], lone[:9], lone, k.Hashes[0][:20], k.Hashes[1]} {
		got, err := w.s.APIKeyHash(w.ctx, prefix)
		w.ok(err)
		same(w, bytes.HasPrefix(got, prefix), true)
	}
	for _, prefix := range [][]byte{nil, {}, k.Hashes[0][:8], sum()[:8], sum(), append(bytes.Clone(lone), 0)} {
		_, err := w.s.APIKeyHash(w.ctx, prefix)
		w.is(err, storage.ErrNotFound)
	}
	w.ok(w.s.DeleteAPIKey(w.ctx, k.ID, nil))
	_, err := w.s.APIKeyHash(w.ctx, lone)
	w.is(err, storage.ErrNotFound)
}
