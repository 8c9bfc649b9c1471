package main

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// loadKeys fills the keyring, and makes what is missing: all keys in an empty
// database, a signing key where the settings name a new algorithm.
func (h *house) loadKeys(ctx context.Context, algs []string) error {
	rows, err := h.store.Keys(ctx, h.now())
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 {
		first, err := h.keyring.First(h.now(), algs...)
		if err != nil {
			return fmt.Errorf("make keys: %w", err)
		}
		return h.addKeys(ctx, first, true)
	}
	if err := h.keyring.Load(rows, h.now()); err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	var missing []storage.Key
	for _, alg := range algs {
		if h.signs(alg) {
			continue
		}
		key, err := h.keyring.NewKey("oidc", alg, h.now())
		if err != nil {
			return fmt.Errorf("make %s key: %w", alg, err)
		}
		missing = append(missing, key)
	}
	if len(missing) == 0 {
		return nil
	}
	return h.addKeys(ctx, missing, false)
}

func (h *house) signs(alg string) bool {
	for _, key := range h.keyring.Signings("oidc") {
		if key.Alg == alg && key.RetiredAt.IsZero() {
			return true
		}
	}
	return false
}

// addKeys stores keys and loads all there are. A conflict says that another server
// was first: its keys count.
func (h *house) addKeys(ctx context.Context, keys []storage.Key, first bool) error {
	event := h.journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventKeysCreated, Actor: "system"})
	err := h.store.AddKeys(ctx, keys, first, []storage.Event{event})
	if err != nil && !(first && errors.Is(err, storage.ErrConflict)) {
		return fmt.Errorf("store keys: %w", err)
	}
	rows, err := h.store.Keys(ctx, h.now())
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if err := h.keyring.Load(rows, h.now()); err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	return nil
}
