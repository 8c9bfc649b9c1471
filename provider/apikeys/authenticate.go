package apikeys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/provider/secret"
	"sallyport/storage"
)

const (
	verifiedMost = 1024            // keys in memory
	pollStale    = 5 * time.Second // what is in memory counts for so long after the last poll
	useGrain     = time.Minute     // how exact LastUsedAt is
	flushGrace   = 5 * time.Second // for the last notes of a server that stops
)

// use is when a key was last used, and whether storage knows.
type use struct {
	at      time.Time
	written bool
}

// Authenticate returns the key whose secret was presented. Every refusal is an
// ErrNoAPIKey and leaves a line in the audit trail; any other error says that storage
// cannot be asked. The key has the dialects, verbs and end that those it descends from
// leave it. It is shared: a caller must not change what it points to.
func (a *Keys) Authenticate(ctx context.Context, v mfa.Caller, presented string) (storage.APIKey, error) {
	k, err := a.recognise(ctx, presented)
	if refused, ok := errors.AsType[*refusal](err); ok {
		e := storage.Event{Kind: mfa.EventAPIKeyRefused, Outcome: mfa.OutcomeRefused, Detail: map[string]string{"reason": refused.reason}}
		if k.ID != "" {
			e.Detail["api_key"], e.Detail["name"] = string(k.ID), k.Name
		}
		a.journal.NoteRefusal(v, budget.Refusals, a.journal.Event(v, e))
		return storage.APIKey{}, err
	}
	if err != nil {
		return storage.APIKey{}, err
	}
	a.use(k)
	return k, nil
}

// recognise is Authenticate without traces. With a refusal it returns the key that was
// refused, if there is one.
func (a *Keys) recognise(ctx context.Context, presented string) (storage.APIKey, error) {
	switch {
	case a.foreign(presented):
		return storage.APIKey{}, ErrEnvironment
	case !presentable(presented), a.mistyped(presented):
		return storage.APIKey{}, ErrNotFound
	}
	line, err := a.byHash(ctx, sha256.Sum256([]byte(presented)))
	if errors.Is(err, storage.ErrNotFound) {
		return storage.APIKey{}, ErrNotFound
	}
	if err != nil {
		return storage.APIKey{}, fmt.Errorf("read API key: %w", err)
	}
	return a.standing(line)
}

// Named returns the SHA-256 sum of the secret that opens something now and whose sum
// begins so, for a server that is to prove that it knows a secret. Every refusal is an
// ErrNoAPIKey, and two sums that begin so are none.
func (a *Keys) Named(ctx context.Context, prefix []byte) ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	hash, err := a.store.APIKeyHash(ctx, prefix)
	if errors.Is(err, storage.ErrNotFound) {
		return sum, ErrNotFound
	}
	if err != nil {
		return sum, fmt.Errorf("read API key: %w", err)
	}
	copy(sum[:], hash)
	line, err := a.byHash(ctx, sum)
	if errors.Is(err, storage.ErrNotFound) {
		return sum, ErrNotFound
	}
	if err != nil {
		return sum, fmt.Errorf("read API key: %w", err)
	}
	_, err = a.standing(line)
	return sum, err
}

// byHash finds a key, and those it descends from, in memory or in storage. What the look-up takes tells something of
// the sum at most, which leads nobody to a secret; what was found is compared in
// constant time nevertheless, so that no engine can be talked into another key.
func (a *Keys) byHash(ctx context.Context, sum [sha256.Size]byte) ([]storage.APIKey, error) {
	line, epoch, ok := a.verified.Get(sum)
	if ok && a.fresh() {
		return line, nil
	}
	line, err := a.store.APIKeyByHash(ctx, sum[:])
	if err != nil {
		return nil, err
	}
	if !secret.Matches(line[0].Hashes, sum[:]) {
		return nil, storage.ErrNotFound
	}
	a.verified.Put(sum, line, epoch)
	return line, nil
}

// fresh reports whether a change of the keys would have been seen: without polls, or
// while they fail, every call asks storage, and a key that was taken away is dead.
func (a *Keys) fresh() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.polled.IsZero() && a.now().Sub(a.polled) <= pollStale
}

// use notes that a key was used, to be written behind.
func (a *Keys) use(k storage.APIKey) {
	now := a.now()
	if now.Sub(k.LastUsedAt) < useGrain {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, ok := a.used[k.ID]; !ok || now.Sub(last.at) >= useGrain {
		a.used[k.ID] = use{at: now}
	}
}

// Poll looks whether keys changed, and forgets those in memory if so.
func (a *Keys) Poll(ctx context.Context) error {
	now := a.now()
	versions, err := a.store.Versions(ctx)
	if err != nil {
		return fmt.Errorf("read versions: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.polled.IsZero() || a.version != versions["api_keys"] {
		a.verified.Drop()
	}
	a.version, a.polled = versions["api_keys"], now
	return nil
}

// Flush writes when keys were last used. What could not be written waits for the next.
func (a *Keys) Flush(ctx context.Context) error {
	now, unwritten := a.now(), map[storage.APIKeyID]time.Time{}
	a.mu.Lock()
	for id, u := range a.used {
		switch {
		case !u.written:
			unwritten[id] = u.at
		case now.Sub(u.at) >= useGrain:
			delete(a.used, id)
		}
	}
	a.mu.Unlock()
	if len(unwritten) == 0 {
		return nil
	}
	if err := a.store.TouchAPIKeys(ctx, unwritten); err != nil {
		return fmt.Errorf("touch API keys: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, at := range unwritten {
		if a.used[id].at.Equal(at) {
			a.used[id] = use{at, true}
		}
	}
	return nil
}

// Run polls and flushes each second until ctx ends, and flushes once more. A change of a
// key is seen within two seconds.
func (a *Keys) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
			defer cancel()
			return a.Flush(last)
		case <-tick.C:
			if err := errors.Join(a.Poll(ctx), a.Flush(ctx)); err != nil && ctx.Err() == nil {
				a.log.ErrorContext(ctx, "API keys", "error", err)
			}
		}
	}
}
