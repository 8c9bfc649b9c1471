package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/password"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

func keysRetire(ctx context.Context, p *program, args []string) error {
	f := p.flags("keys retire", "let a key go that nothing hangs on any more, or, if it was stolen, at once")
	emergency := f.Bool("emergency", false, "at once, and everything made with it dies; a new key takes its place")
	c, err := p.settings(f, args, 1)
	if err != nil {
		return err
	}
	id := storage.KeyID(f.Arg(0))
	h, err := p.openKeys(ctx, c)
	if err != nil {
		return err
	}
	defer h.close()
	if *emergency {
		return p.withdraw(ctx, h, id)
	}
	if err := h.free(ctx, id); err != nil {
		return fmt.Errorf("retire %s: %w", id, err)
	}
	change, err := h.changeKeys(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		k, err := h.keyring.Release(rows, id, now)
		return storage.KeyChange{Change: []storage.Key{k},
			Events: []storage.Event{h.told(mfa.EventKeysRetired, "admin", k, "expires_at", stamp(k.ExpiresAt))}}, err
	})
	if err != nil {
		return fmt.Errorf("retire %s: %w", id, err)
	}
	fmt.Fprintf(p.out, "Key %s expires %s. Backups made before the last reseal need it and its key-encryption key.\n", id, stamp(change.Change[0].ExpiresAt))
	return nil
}

// free makes sure that nothing stored hangs on a key.
func (h *house) free(ctx context.Context, id storage.KeyID) error {
	use := ""
	for _, k := range h.keyring.Rows() {
		if k.ID == id {
			use = k.Use
		}
	}
	if h.keyring.Current(use) == id {
		return nil // Release has the better words for it
	}
	switch use {
	case "data":
		left, err := h.store.SealedUnder(ctx, id)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("secrets are sealed under it: %s; run sallyport keys reseal --data first", counts(left))
		}
	case "hash":
		n, err := h.store.HashedUnder(ctx, id)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%d recovery codes hang on it; run sallyport keys reseal --data first", n)
		}
		return throttle.MoveCounters(ctx, h.store, h.keyring, resealBatch, func(int, int) {})
	case "pepper":
		n := 0
		err := h.store.EachSecret(ctx, "password", func(secret []byte) {
			if password.PepperOf(secret) == id {
				n++
			}
		})
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%d passwords hang on it; each moves when its user signs in, or gets a new one", n)
		}
	}
	return nil
}

func counts(of map[string]int) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, fmt.Sprintf("%s %d", name, of[name]))
	}
	return strings.Join(out, ", ")
}

// withdraw is the answer to a stolen key.
func (p *program) withdraw(ctx context.Context, h *house, id storage.KeyID) error {
	var gone storage.Key
	change, err := h.changeKeys(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		r, err := h.keyring.Withdraw(rows, id, now)
		if err != nil {
			return storage.KeyChange{}, err
		}
		gone = r.Change[0]
		by := ""
		for _, k := range r.Add {
			by = string(k.ID)
		}
		return storage.KeyChange{Add: r.Add, Change: r.Change,
			Events: []storage.Event{h.told(mfa.EventKeysWithdrawn, "admin", gone, "by", cmp.Or(by, "a key that was there"))}}, nil
	})
	if err != nil {
		return fmt.Errorf("retire %s: %w", id, err)
	}
	fmt.Fprintf(p.out, "KEY %s (%s) IS WITHDRAWN. Within two seconds, on every server:\n", id, strings.TrimSpace(gone.Use+" "+gone.Alg))
	for _, line := range consequences(gone.Use) {
		fmt.Fprintln(p.out, "  - "+line)
	}
	for _, k := range change.Add {
		fmt.Fprintf(p.out, "Key %s takes its place now.\n", k.ID)
	}
	return nil
}

// consequences says what withdrawing a key does to people and clients.
func consequences(use string) []string {
	switch use {
	case "oidc":
		return []string{
			"the key is no longer in /jwks.json, and no token signed by it counts here: access tokens are inactive, hints are refused;",
			"clients and resource servers that keep a copy of the key set believe its signatures until they fetch it again: tell them;",
			"logins that end in this moment may fail at the client once and succeed when they are tried again;",
			"refresh tokens and sessions are not signed by it and go on: clients get new access tokens with their refresh tokens.",
		}
	case "dialect":
		return []string{"no session JWT signed by it counts any more; clients get a new one with their session token."}
	case "session":
		return []string{"everybody is signed out of single sign-on and signs in again; tokens that clients hold go on."}
	case "token":
		return []string{"no refresh token made until now counts any more; users of these clients sign in again."}
	case "subject":
		return []string{
			"browsers are strangers again: failed passwords count for their users until each has signed in once;",
			"logins that wait for a second factor at a client's own page have to start anew;",
			"what unknown names are shown changes, so that who compares before and after can tell them from users.",
		}
	}
	return nil
}
