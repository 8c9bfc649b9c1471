package apikeys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/provider/secret"
	"sallyport/storage"
	"sallyport/storage/seal"
)

const (
	cacheSize = 1024            // keys in memory
	maxAge    = 5 * time.Second // of the last poll; after that the cache is not used
	precision = time.Minute     // of LastUsedAt
	lastFlush = 5 * time.Second // timeout of the last Flush
)

// lastUse is when a key was last used, and whether that was stored.
type lastUse struct {
	at      time.Time
	written bool
}

// Authenticate returns the key of a secret. Every refusal is an ErrNotFound and adds an entry to
// the audit trail; any other error is a storage failure. Dialects, verbs and expiry of the key
// are limited by the keys it descends from. The key is shared: callers must not change what it
// points to.
func (a *Keys) Authenticate(ctx context.Context, v mfa.Caller, presented string) (storage.APIKey, error) {
	return a.authenticate(ctx, v, presented, func(storage.APIKey) error { return nil })
}

// AuthenticateFor is Authenticate for calls in a dialect: ErrDialect if the key is not for it. In
// that of Stytch the key must belong to the project, or it is refused with ErrProject.
func (a *Keys) AuthenticateFor(ctx context.Context, v mfa.Caller, dialect, project, presented string) (storage.APIKey, error) {
	return a.authenticate(ctx, v, presented, func(k storage.APIKey) error {
		switch {
		case !slices.Contains(k.Dialects, dialect):
			return ErrDialect
		case dialect == DialectStytch && !seal.Equal(k.Project, project):
			return ErrProject
		}
		return nil
	})
}

func (a *Keys) authenticate(ctx context.Context, v mfa.Caller, presented string, check func(storage.APIKey) error) (storage.APIKey, error) {
	k, err := a.find(ctx, presented)
	if err == nil {
		err = check(k)
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		e := storage.Event{Kind: mfa.EventAPIKeyRefused, Outcome: mfa.OutcomeRefused, Detail: map[string]string{"reason": refused.reason}}
		if k.ID != "" {
			e.Detail["api_key"], e.Detail["name"] = string(k.ID), k.Name
		}
		a.journal.NoteRefusal(v, budget.Refusals, a.journal.Event(v, e))
		mfa.Refused(ctx, mfa.Refusal{Reason: refused.reason, Event: e.Kind})
		return storage.APIKey{}, err
	}
	if err != nil {
		return storage.APIKey{}, err
	}
	a.recordUse(k)
	return k, nil
}

// find is Authenticate without side effects. With a refusal it returns the key that was refused,
// if there is one.
func (a *Keys) find(ctx context.Context, presented string) (storage.APIKey, error) {
	switch {
	case a.fromOtherEnvironment(presented):
		return storage.APIKey{}, ErrEnvironment
	case !wellFormed(presented), a.mistyped(presented):
		return storage.APIKey{}, ErrNotFound
	}
	line, err := a.byHash(ctx, sha256.Sum256([]byte(presented)))
	if errors.Is(err, storage.ErrNotFound) {
		return storage.APIKey{}, ErrNotFound
	}
	if err != nil {
		return storage.APIKey{}, fmt.Errorf("read API key: %w", err)
	}
	return a.effective(line)
}

// HashOf returns the SHA-256 of the active secret whose SHA-256 has this prefix, for a server that
// must prove that it knows the secret. It returns ErrNotFound if there is none, or more than one.
func (a *Keys) HashOf(ctx context.Context, prefix []byte) ([sha256.Size]byte, error) {
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
	_, err = a.effective(line)
	return sum, err
}

// byHash returns a key, and those it descends from, from memory or storage. The time of the
// look-up reveals at most parts of the hash, which does not help to find the secret. The hash is
// compared in constant time nevertheless, in case storage returned another key.
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

// fresh reports whether the cache is up to date. Without polls, or while they fail, every call
// reads storage, so that a deleted key is refused.
func (a *Keys) fresh() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.polled.IsZero() && a.now().Sub(a.polled) <= maxAge
}

// recordUse records that a key was used. Flush stores it.
func (a *Keys) recordUse(k storage.APIKey) {
	now := a.now()
	if now.Sub(k.LastUsedAt) < precision {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, ok := a.used[k.ID]; !ok || now.Sub(last.at) >= precision {
		a.used[k.ID] = lastUse{at: now}
	}
}

// Poll drops the cache if a key changed.
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

// Flush stores when keys were last used. After a failure the next Flush tries again.
func (a *Keys) Flush(ctx context.Context) error {
	now, unwritten := a.now(), map[storage.APIKeyID]time.Time{}
	a.mu.Lock()
	for id, u := range a.used {
		switch {
		case !u.written:
			unwritten[id] = u.at
		case now.Sub(u.at) >= precision:
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
			a.used[id] = lastUse{at, true}
		}
	}
	return nil
}

// Run polls and flushes every second until ctx ends, and flushes once more. Changes of keys are
// noticed within two seconds.
func (a *Keys) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			return a.Flush(last)
		case <-tick.C:
			if err := errors.Join(a.Poll(ctx), a.Flush(ctx)); err != nil && ctx.Err() == nil {
				a.log.ErrorContext(ctx, "API keys", "error", err)
			}
		}
	}
}
