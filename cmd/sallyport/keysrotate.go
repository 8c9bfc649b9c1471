package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

func keysRotate(ctx context.Context, p *program, args []string) error {
	f := p.flags("keys rotate", "make the next key of a use; the old one goes on verifying and opening")
	use := f.String("use", "", "which keys: "+strings.Join(seal.Uses(), ", "))
	alg := f.String("alg", "", "signing keys: which `algorithm`; without it, each there is a key of")
	now := f.Bool("now", false, fmt.Sprintf("use the new key in %s, when every server knows it, and not after its time of publication", seal.Settle))
	c, err := p.settings(f, args, 0)
	if err != nil {
		return err
	}
	if !slices.Contains(seal.Uses(), *use) {
		return usageError{"keys rotate: --use must be one of " + strings.Join(seal.Uses(), ", ")}
	}
	h, err := p.openKeys(ctx, c)
	if err != nil {
		return err
	}
	defer h.close()
	change, err := h.rotate(ctx, "admin", *use, *alg, seal.Lead(*use, *now))
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	for _, k := range append(change.Add, change.Change...) {
		fmt.Fprintln(p.out, rotated(k))
	}
	if advice := afterRotation(*use); advice != "" {
		fmt.Fprintln(p.out, advice)
	}
	return nil
}

// rotate makes the next keys of a use: of one algorithm, or of each there is a key of.
func (h *house) rotate(ctx context.Context, actor, use, alg string, lead time.Duration) (storage.KeyChange, error) {
	return h.changeKeys(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		algs := []string{alg}
		if alg == "" {
			algs = algsOf(rows, use)
		}
		var c storage.KeyChange
		for _, alg := range algs {
			if err := h.next(&c, rows, actor, use, alg, now, lead); err != nil {
				return storage.KeyChange{}, err
			}
		}
		return c, nil
	})
}

// next adds to a change what makes the next key of one use and algorithm.
func (h *house) next(c *storage.KeyChange, rows []storage.Key, actor, use, alg string, now time.Time, lead time.Duration) error {
	r, err := h.keyring.Rotate(rows, use, alg, now, lead)
	if err != nil {
		return err
	}
	c.Add, c.Change = append(c.Add, r.Add...), append(c.Change, r.Change...)
	for _, k := range append(slices.Clone(r.Add), r.Change...) {
		if k.RetiredAt.IsZero() {
			c.Events = append(c.Events, h.told(mfa.EventKeysRotated, actor, k, "active_at", stamp(k.ActiveAt)))
		}
	}
	return nil
}

// algsOf are the algorithms of the keys of a use that nothing has replaced yet. Only
// published keys have more than one at a time.
func algsOf(rows []storage.Key, use string) []string {
	var out []string
	for _, k := range rows {
		if seal.Published(use) && k.Use == use && k.RetiredAt.IsZero() && !slices.Contains(out, k.Alg) {
			out = append(out, k.Alg)
		}
	}
	if out == nil {
		out = []string{""}
	}
	return out
}

// rotated says in a sentence what became of a key.
func rotated(k storage.Key) string {
	name := strings.TrimSpace(k.Use + " " + k.Alg)
	switch {
	case k.RetiredAt.IsZero():
		return fmt.Sprintf("%s: key %s is used from %s on.", name, k.ID, stamp(k.ActiveAt))
	case k.ExpiresAt.IsZero():
		return fmt.Sprintf("%s: key %s is used until then and stays for what was made with it.", name, k.ID)
	}
	return fmt.Sprintf("%s: key %s is used until then and expires %s.", name, k.ID, stamp(k.ExpiresAt))
}

func afterRotation(use string) string {
	switch use {
	case "data", "hash":
		return "Stored secrets are still under the old key. To get rid of it: sallyport keys reseal --data, then sallyport keys retire ID."
	case "pepper":
		return "A password moves to the new pepper when its user signs in. The old one can be retired when all have."
	}
	return ""
}

// rotateDue makes the next key of every use whose key is old enough, in one step. Of
// several servers one does it: the others find the version of the keys moved, plan anew
// and find the next key waiting.
func (h *house) rotateDue(ctx context.Context) error {
	change, err := h.changeKeys(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		var c storage.KeyChange
		for _, use := range seal.Uses() {
			for _, alg := range algsOf(rows, use) {
				if !slices.ContainsFunc(rows, func(k storage.Key) bool { return seal.Same(k, use, alg) && h.due(k, now) }) {
					continue
				}
				err := h.next(&c, rows, "system", use, alg, now, seal.Lead(use, false))
				if err != nil && !errors.Is(err, seal.ErrPending) {
					return storage.KeyChange{}, err
				}
			}
		}
		return c, nil
	})
	if err != nil {
		return err
	}
	for _, k := range change.Add {
		h.log.Info("next key made", "key", string(k.ID), "use", k.Use, "alg", k.Alg, "active_at", stamp(k.ActiveAt))
	}
	return nil
}

// due reports whether a key in use has to give way now. One that an older version made
// has served its time: what it seals with is bounded.
func (h *house) due(k storage.Key, now time.Time) bool {
	after := h.rotateOwnAfter
	if seal.Published(k.Use) {
		after = h.rotateAfter
	}
	if after <= 0 || !seal.RotatesByAge(k.Use) || !k.RetiredAt.IsZero() || now.Before(k.ActiveAt) {
		return false
	}
	return seal.Outdated(k) || !now.Before(k.ActiveAt.Add(after-seal.Lead(k.Use, false)))
}

// rotateKeys is the background work of rotateDue.
func (h *house) rotateKeys(ctx context.Context) error {
	do := func() {
		if err := h.rotateDue(ctx); err != nil && ctx.Err() == nil {
			h.log.Error("rotate keys", "error", err)
		}
	}
	do()
	return every(ctx, time.Hour, do)
}
