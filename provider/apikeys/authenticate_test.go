package apikeys

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// countingStore counts how often keys are read and touched, and returns broken.
type countingStore struct {
	store
	mu             sync.Mutex
	reads, touches int
	broken         error
}

func (c *countingStore) count(n *int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
	return c.broken
}

func (c *countingStore) APIKeyByHash(ctx context.Context, hash []byte) ([]storage.APIKey, error) {
	if err := c.count(&c.reads); err != nil {
		return nil, err
	}
	return c.store.APIKeyByHash(ctx, hash)
}

func (c *countingStore) TouchAPIKeys(ctx context.Context, used map[storage.APIKeyID]time.Time) error {
	if err := c.count(&c.touches); err != nil {
		return err
	}
	return c.store.TouchAPIKeys(ctx, used)
}

func TestInvalidKeysAreRefused(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	_, good := h.create(a)
	_, disabled := h.create(a, func(d *Draft) { d.Name, d.Disabled = "off", true })
	_, expiring := h.create(a, func(d *Draft) { d.Name, d.ExpiresAt = "short", h.now().Add(time.Minute) })
	gone, deleted := h.create(a, func(d *Draft) { d.Name = "gone" })
	h.ok(a.Delete(h.ctx, h.visit, Operator(), gone.ID))
	h.ok(a.Poll(h.ctx))
	if _, err := a.Authenticate(h.ctx, h.visit, expiring); err != nil {
		t.Errorf("a key that expires in a minute: %v", err)
	}
	h.wait(time.Minute)
	h.ok(a.Poll(h.ctx))
	for _, tc := range []struct {
		name, secret string
		want         error
		reason       string // in the audit trail
	}{
		{"a good one", good, nil, ""},
		{"none", "", ErrNotFound, "unknown"},
		{"something else", "Bearer", ErrNotFound, "unknown"},
		{"32 characters of no key", strings.Repeat("x", 32), ErrNotFound, "unknown"},
		{"the hash of a good one", string(secret.Sum(good)), ErrNotFound, "unknown"},
		{"a good one, mistyped", strings.Replace(good, good[20:22], "!!", 1), ErrNotFound, "unknown"},
		{"a good one and more", good + "x", ErrNotFound, "unknown"},
		{"megabytes", strings.Repeat("x", 1<<20), ErrNotFound, "unknown"},
		{"of a deleted key", deleted, ErrNotFound, "unknown"},
		{"of the other environment", strings.Replace(good, "live", "test", 1), ErrEnvironment, "environment"},
		{"of Streambird's test environment", "sk_test_" + strings.Repeat("x", 49), ErrEnvironment, "environment"},
		{"of a disabled key", disabled, ErrDisabled, "disabled"},
		{"of a key that expires this very moment", expiring, ErrExpired, "expired"},
	} {
		before := h.events(mfa.EventAPIKeyRefused)
		k, err := a.Authenticate(h.ctx, h.visit, tc.secret)
		if !errors.Is(err, tc.want) || (err != nil) != errors.Is(err, ErrNotFound) || (err == nil) != (k.ID != "") {
			t.Errorf("%s: %v, %v, want %v", tc.name, k.ID, err, tc.want)
		}
		events := h.events(mfa.EventAPIKeyRefused) - before
		if (events == 1) != (tc.reason != "") {
			t.Errorf("%s: %d events", tc.name, events)
			continue
		}
		if tc.reason == "" {
			continue
		}
		trail, err := h.engine.ListEvents(h.ctx, storage.EventFilter{Kind: mfa.EventAPIKeyRefused, Limit: 1000})
		h.ok(err)
		if !slices.ContainsFunc(trail, func(e storage.Event) bool {
			return e.Outcome == mfa.OutcomeRefused && e.Detail["reason"] == tc.reason && e.Address == h.visit.Address &&
				(e.Detail["name"] == "off") == (tc.reason == "disabled")
		}) {
			t.Errorf("%s: none of %d events has reason %s", tc.name, len(trail), tc.reason)
		}
	}
}

func TestAKeyIsForItsDialectsAndItsProject(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	_, both := h.create(a, func(d *Draft) {
		d.Name, d.Dialects, d.Project = "both", []string{DialectStreambird, DialectStytch}, project
	})
	_, admin := h.create(a)
	for _, tc := range []struct {
		name, secret, dialect, project string
		want                           error
	}{
		{"Streambird", both, DialectStreambird, "", nil},
		{"Streambird, where a project means nothing", both, DialectStreambird, "another", nil},
		{"Stytch", both, DialectStytch, project, nil},
		{"another project", both, DialectStytch, project[:len(project)-1] + "2", ErrProject},
		{"a part of the project", both, DialectStytch, project[:len(project)-1], ErrProject},
		{"no project", both, DialectStytch, "", ErrProject},
		{"a key of neither", admin, DialectStreambird, "", ErrDialect},
		{"a key without a project", admin, DialectStytch, "", ErrDialect},
		{"an unknown key", strings.Repeat("x", 40), DialectStytch, project, ErrNotFound},
	} {
		k, err := a.AuthenticateFor(h.ctx, h.visit, tc.dialect, tc.project, tc.secret)
		if !errors.Is(err, tc.want) || (err == nil) != (k.ID != "") || err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %q, %v, want %v", tc.name, k.ID, err, tc.want)
		}
	}
}

func TestKeysAreReadOnceAndChangesAreSeen(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	store := &countingStore{store: h.engine}
	a.store = store
	k, secret := h.create(a)
	opens := func(want error, reads int) {
		t.Helper()
		store.reads = 0
		for range 3 {
			if _, err := a.Authenticate(h.ctx, h.visit, secret); !errors.Is(err, want) || (want == nil) != (err == nil) {
				t.Errorf("Authenticate = %v, want %v", err, want)
			}
		}
		if store.reads != reads {
			t.Errorf("%d reads for 3 calls, want %d", store.reads, reads)
		}
	}
	opens(nil, 3) // before the first poll
	h.ok(a.Poll(h.ctx))
	opens(nil, 1)
	other := h.keys() // another server
	h.ok(other.Disable(h.ctx, h.visit, Operator(), k.ID))
	opens(nil, 0)
	h.ok(a.Poll(h.ctx))
	opens(ErrDisabled, 1)
	h.ok(other.Enable(h.ctx, h.visit, Operator(), k.ID))
	h.wait(maxAge + time.Microsecond) // the polls fail
	opens(nil, 3)
	h.ok(a.Poll(h.ctx))
	opens(nil, 1)
	store.broken = errors.New("connection reset by peer")
	opens(nil, 0)
	h.wait(maxAge + time.Microsecond)
	if _, err := a.Authenticate(h.ctx, h.visit, secret); !errors.Is(err, store.broken) || errors.Is(err, ErrNotFound) {
		t.Errorf("without storage: %v, want %v and no verdict on the key", err, store.broken)
	}
	if h.events(mfa.EventAPIKeyRefused) != 3 {
		t.Error("a failure of storage is logged as a refusal")
	}
}

func TestUnknownKeysAreNotCached(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	h.ok(a.Poll(h.ctx))
	for i := range 50 {
		_, _ = a.Authenticate(h.ctx, h.visit, strings.Repeat(string(rune('a'+i)), 40))
	}
	if n := a.verified.Len(); n != 0 {
		t.Errorf("%d unknown keys are held", n)
	}
}

// lying is an engine that finds a key for every sum.
type lying struct {
	store
	key storage.APIKey
}

func (l lying) APIKeyByHash(context.Context, []byte) ([]storage.APIKey, error) {
	return []storage.APIKey{l.key}, nil
}

func TestAKeyMustHoldTheSumItWasFoundBy(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	k, _ := h.create(a)
	a.store = lying{h.engine, k}
	if _, err := a.Authenticate(h.ctx, h.visit, strings.Repeat("x", 40)); !errors.Is(err, ErrNotFound) {
		t.Errorf("Authenticate = %v, want %v", err, ErrNotFound)
	}
}

func TestUseIsRecordedOnceAMinute(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	store := &countingStore{store: h.engine}
	a.store = store
	k, secret := h.create(a)
	used := func(want time.Time, touches int) {
		t.Helper()
		_, err := a.Authenticate(h.ctx, h.visit, secret)
		h.ok(err)
		_ = a.Flush(h.ctx)
		got, err := a.Get(h.ctx, k.ID)
		h.ok(err)
		if !got.LastUsedAt.Equal(want.Truncate(time.Second)) || store.touches != touches {
			t.Errorf("last used at %v after %d writes, want %v after %d", got.LastUsedAt, store.touches, want, touches)
		}
		if !got.UpdatedAt.Equal(k.UpdatedAt) {
			t.Error("a use counts as a change of the key")
		}
	}
	first := h.now()
	h.ok(a.Poll(h.ctx))
	used(first, 1)
	h.wait(59 * time.Second)
	h.ok(a.Poll(h.ctx))
	used(first, 1)
	h.wait(2 * time.Second)
	second := h.now()
	used(second, 2)
	used(second, 2)
	h.wait(2 * time.Minute)
	_, err := a.Authenticate(h.ctx, h.visit, secret)
	h.ok(err)
	store.broken = errors.New("connection reset by peer")
	if err := a.Flush(h.ctx); err == nil {
		t.Error("a flush without storage = nil")
	}
	store.broken = nil
	used(h.now(), 4) // what could not be written waited
	h.wait(2 * time.Minute)
	h.ok(a.Flush(h.ctx))
	if len(a.used) != 0 {
		t.Errorf("%d notes are still held", len(a.used))
	}
}

func TestParallelCallers(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	store := &countingStore{store: h.engine}
	a.store = store
	k, created := h.create(a)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				if _, err := a.Authenticate(h.ctx, h.visit, created); err != nil {
					t.Error(err)
				}
				if err := a.Poll(h.ctx); err != nil {
					t.Error(err)
				}
				if err := a.Flush(h.ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got, err := a.Get(h.ctx, k.ID); err != nil || got.LastUsedAt.IsZero() {
		t.Errorf("Get = %+v, %v", got, err)
	}
	// Racing rotations: one of them adds a secret.
	won, start := make(chan string, 16), make(chan struct{})
	for range 16 {
		all.Go(func() {
			<-start
			added, err := a.AddSecret(h.ctx, h.visit, Operator(), k.ID)
			if err == nil {
				won <- added
			} else if !errors.Is(err, secret.ErrRotating) && !errors.Is(err, ErrChanged) {
				t.Error(err)
			}
		})
	}
	close(start)
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d rotations began, want 1", len(won))
	}
	h.ok(a.Poll(h.ctx))
	if _, err := a.Authenticate(h.ctx, h.visit, <-won); err != nil {
		t.Errorf("the winner's secret: %v", err)
	}
}

func TestRunPollsAndWritesALastTime(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	k, secret := h.create(a)
	ctx, stop := context.WithCancel(h.ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	tick, late := time.NewTicker(10*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !a.fresh() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("Run does not poll")
		}
	}
	_, err := a.Authenticate(h.ctx, h.visit, secret)
	h.ok(err)
	stop()
	h.ok(<-ended)
	if got, err := a.Get(h.ctx, k.ID); err != nil || got.LastUsedAt.IsZero() {
		t.Errorf("after the last flush: %+v, %v", got, err)
	}
}
