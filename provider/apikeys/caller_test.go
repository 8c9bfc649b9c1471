package apikeys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport/provider/secret"
	"sallyport/storage"
)

func TestAKeyCannotCreateAStrongerOne(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	both := []string{VerbRead, VerbWrite}
	end := h.now().Add(time.Hour)
	maker, _ := h.create(a, func(d *Draft) {
		d.Name, d.Dialects, d.Verbs, d.ExpiresAt = "maker", []string{DialectAdmin, DialectStreambird}, []string{VerbWrite}, end
		d.App = "shop"
	})
	within := func(d *Draft) {
		d.Dialects, d.Verbs, d.ExpiresAt = []string{DialectAdmin}, []string{VerbWrite}, end
	}
	made, _, err := a.Create(h.ctx, h.visit, Holder(maker), draft(within, func(d *Draft) { d.Name = "made" }))
	h.ok(err)
	if made.Maker != maker.ID {
		t.Errorf("maker = %q, want %q", made.Maker, maker.ID)
	}
	for name, tc := range map[string]struct {
		field  string
		change func(*Draft)
	}{
		"another verb":    {"verbs", func(d *Draft) { d.Verbs = both }},
		"another dialect": {"project", func(d *Draft) { d.Dialects, d.Project = append(d.Dialects, DialectStytch), project }},
		"a later end":     {"expires_at", func(d *Draft) { d.ExpiresAt = end.Add(time.Second) }},
		"no end":          {"expires_at", func(d *Draft) { d.ExpiresAt = time.Time{} }},
		"another app":     {"app", func(d *Draft) { d.Dialects, d.App = []string{DialectStreambird}, "another" }},
		"any app":         {"app", func(d *Draft) { d.Dialects = []string{DialectStreambird} }},
	} {
		d := draft(within, tc.change)
		_, _, err := a.Create(h.ctx, h.visit, Holder(maker), d)
		h.refusedFor(name+", made", err, tc.field)
		for _, k := range []storage.APIKey{maker, made} { // itself, and one of its own
			next := d
			next.Name = k.Name
			h.refusedFor(name+", changed", a.Change(h.ctx, h.visit, Holder(maker), k, next.Into(k)), tc.field)
		}
	}
	// A key authenticated before it became weaker has its present rights.
	weaker := maker
	weaker.ExpiresAt = end.Add(-time.Minute)
	h.ok(a.Change(h.ctx, h.visit, Operator(), maker, weaker))
	_, _, err = a.Create(h.ctx, h.visit, Holder(maker), draft(within))
	h.refusedFor("of what it was", err, "expires_at")
}

// refusedFor checks for a fault in this field.
func (h *fixture) refusedFor(name string, err error, field string) {
	h.t.Helper()
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Faults[len(invalid.Faults)-1].Field != field {
		h.t.Errorf("%s: %v, want a fault of %s", name, err, field)
	}
}

func TestAKeyManagesOnlyKeysItCreated(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	writer := func(name string) func(*Draft) {
		return func(d *Draft) { d.Name, d.Dialects, d.Verbs = name, []string{DialectAdmin}, []string{VerbWrite} }
	}
	maker, _ := h.create(a, writer("maker"))
	other, _ := h.create(a, writer("other"))
	child, _, err := a.Create(h.ctx, h.visit, Holder(maker), draft(writer("child")))
	h.ok(err)
	grandchild, _, err := a.Create(h.ctx, h.visit, Holder(child), draft(writer("grandchild")))
	h.ok(err)
	do := func(by Caller, id storage.APIKeyID) map[string]error {
		k, err := a.Get(h.ctx, id)
		h.ok(err)
		_, added := a.AddSecret(h.ctx, h.visit, by, id)
		return map[string]error{"AddSecret": added, "WithdrawSecret": a.WithdrawSecret(h.ctx, h.visit, by, id),
			"Disable": a.Disable(h.ctx, h.visit, by, id), "Enable": a.Enable(h.ctx, h.visit, by, id),
			"FinishRotation": a.FinishRotation(h.ctx, h.visit, by, id), "Change": a.Change(h.ctx, h.visit, by, k, k)}
	}
	for _, k := range []storage.APIKey{other, maker} {
		refused := do(Holder(child), k.ID)
		refused["Delete"] = a.Delete(h.ctx, h.visit, Holder(child), k.ID)
		for call, err := range refused {
			if !errors.Is(err, ErrNotPermitted) {
				t.Errorf("%s of %s = %v, want %v", call, k.Name, err, ErrNotPermitted)
			}
		}
	}
	for call, err := range do(Holder(maker), grandchild.ID) {
		if errors.Is(err, ErrNotPermitted) || errors.Is(err, ErrCallerEnded) {
			t.Errorf("%s of a descendant = %v", call, err)
		}
	}
	h.ok(a.Delete(h.ctx, h.visit, Holder(maker), child.ID))
	for call, err := range do(Holder(child), grandchild.ID) {
		if !errors.Is(err, ErrCallerEnded) {
			t.Errorf("%s by a key that is gone = %v, want %v", call, err, ErrCallerEnded)
		}
	}
	for call, err := range do(Caller{}, other.ID) {
		if !errors.Is(err, ErrCallerEnded) {
			t.Errorf("%s by no caller = %v, want %v", call, err, ErrCallerEnded)
		}
	}
}

func TestAKeyEndsWithItsMaker(t *testing.T) {
	for name, end := range map[string]func(*fixture, *Keys, storage.APIKey) error{
		"deleted": func(h *fixture, a *Keys, k storage.APIKey) error {
			return a.Delete(h.ctx, h.visit, Operator(), k.ID)
		},
		"disabled": func(h *fixture, a *Keys, k storage.APIKey) error {
			return a.Disable(h.ctx, h.visit, Operator(), k.ID)
		},
		"expired": func(h *fixture, _ *Keys, _ storage.APIKey) error { h.wait(time.Hour); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			a := h.keys()
			h.ok(a.Poll(h.ctx))
			d := func(name string) Draft {
				return draft(func(d *Draft) {
					d.Name, d.Dialects, d.Verbs, d.ExpiresAt = name, []string{DialectAdmin}, []string{VerbRead, VerbWrite}, h.now().Add(time.Hour)
				})
			}
			first, _, err := a.Create(h.ctx, h.visit, Operator(), d("first"))
			h.ok(err)
			second, _, err := a.Create(h.ctx, h.visit, Holder(first), d("second"))
			h.ok(err)
			third, secret, err := a.Create(h.ctx, h.visit, Holder(second), d("third"))
			h.ok(err)
			h.ok(a.Poll(h.ctx))
			if _, err := a.Authenticate(h.ctx, h.visit, secret); err != nil {
				t.Fatal(err)
			}
			h.ok(end(h, a, first))
			h.ok(a.Poll(h.ctx))
			_, err = a.Authenticate(h.ctx, h.visit, secret)
			if want := ErrMakerEnded; name != "expired" && !errors.Is(err, want) || !errors.Is(err, ErrNotFound) {
				t.Errorf("Authenticate = %v, want %v", err, want)
			}
			if over, err := a.Orphaned(h.ctx, third); err != nil || !over {
				t.Errorf("Orphaned = %v, %v", over, err)
			}
		})
	}
}

func TestAWeakerMakerWeakensItsKeys(t *testing.T) {
	all := []string{DialectAdmin, DialectStreambird, DialectStytch}
	for name, tc := range map[string]struct {
		weaken   func(*storage.APIKey)
		dialects []string // that are left
	}{
		"dialects":   {func(k *storage.APIKey) { k.Dialects, k.Project, k.App = []string{DialectAdmin}, "", "" }, []string{DialectAdmin}},
		"verbs":      {func(k *storage.APIKey) { k.Verbs = []string{VerbRead} }, all},
		"end":        {func(k *storage.APIKey) { k.ExpiresAt = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC) }, all},
		"a project":  {func(k *storage.APIKey) { k.Project = project[:len(project)-1] + "2" }, []string{DialectAdmin, DialectStreambird}},
		"no project": {func(k *storage.APIKey) { k.Dialects, k.Project = all[:2], "" }, []string{DialectAdmin, DialectStreambird}},
		"an app":     {func(k *storage.APIKey) { k.App = "another" }, []string{DialectAdmin, DialectStytch}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			a := h.keys()
			h.ok(a.Poll(h.ctx))
			d := func(d *Draft) {
				d.Dialects, d.Verbs, d.Project, d.App = all, []string{VerbRead, VerbWrite}, project, "shop"
			}
			maker, _ := h.create(a, d)
			child, _, err := a.Create(h.ctx, h.visit, Holder(maker), draft(d, func(d *Draft) { d.Name = "child" }))
			h.ok(err)
			_, secret, err := a.Create(h.ctx, h.visit, Holder(child), draft(d, func(d *Draft) { d.Name = "grandchild" }))
			h.ok(err)
			h.ok(a.Poll(h.ctx))
			got, err := a.Authenticate(h.ctx, h.visit, secret)
			if err != nil || !slices.Equal(got.Dialects, all) || !got.Allows(DialectAdmin, VerbWrite) || !got.ExpiresAt.IsZero() {
				t.Fatalf("the key opens %+v, %v; want what its makers do", got, err)
			}
			next := maker
			tc.weaken(&next)
			h.ok(a.Change(h.ctx, h.visit, Operator(), maker, next))
			h.ok(a.Poll(h.ctx)) // no memory of it is left
			got, err = a.Authenticate(h.ctx, h.visit, secret)
			if err != nil || !slices.Equal(got.Dialects, tc.dialects) || !slices.Equal(got.Verbs, next.Verbs) || !got.ExpiresAt.Equal(next.ExpiresAt) {
				t.Errorf("the key opens %+v, %v; want no more than its maker", got, err)
			}
		})
	}
}

// The operator who disabled a key may have had a reason that its maker does not share.
func TestAKeyCannotChangeADisabledOne(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	writer := func(name string) func(*Draft) {
		return func(d *Draft) { d.Name, d.Dialects, d.Verbs = name, []string{DialectAdmin}, []string{VerbWrite} }
	}
	maker, _ := h.create(a, writer("maker"))
	by := Holder(maker)
	child, _, err := a.Create(h.ctx, h.visit, by, draft(writer("child")))
	h.ok(err)
	_, err = a.AddSecret(h.ctx, h.visit, by, child.ID)
	h.ok(err)
	h.ok(a.Disable(h.ctx, h.visit, by, child.ID))
	child, err = a.Get(h.ctx, child.ID)
	h.ok(err)
	enabled, other := child, child
	enabled.Disabled = false
	other.Hashes = [][]byte{secret.Sum("another secret")} // the old one could go to another key
	_, added := a.AddSecret(h.ctx, h.visit, by, child.ID)
	for call, err := range map[string]error{"AddSecret": added, "Enable": a.Enable(h.ctx, h.visit, by, child.ID),
		"Change": a.Change(h.ctx, h.visit, by, child, enabled), "Change of the secret": a.Change(h.ctx, h.visit, by, child, other),
		"FinishRotation": a.FinishRotation(h.ctx, h.visit, by, child.ID), "WithdrawSecret": a.WithdrawSecret(h.ctx, h.visit, by, child.ID),
		"Delete": a.Delete(h.ctx, h.visit, by, child.ID)} {
		if !errors.Is(err, ErrOperatorOnly) {
			t.Errorf("%s = %v, want %v", call, err, ErrOperatorOnly)
		}
	}
	if got, err := a.Get(h.ctx, child.ID); err != nil || !got.Disabled || len(got.Hashes) != 2 || !got.UpdatedAt.Equal(child.UpdatedAt) {
		t.Errorf("the key is %+v, %v; want it as it was", got, err)
	}
	h.ok(a.Enable(h.ctx, h.visit, Operator(), child.ID))
	h.ok(a.Delete(h.ctx, h.visit, by, child.ID))
}

// interrupted is storage where something happens after each look at a key.
type interrupted struct {
	store
	then func()
}

func (s interrupted) APIKeyLine(ctx context.Context, id storage.APIKeyID) ([]storage.APIKey, error) {
	defer s.then()
	return s.store.APIKeyLine(ctx, id)
}

func (s interrupted) APIKey(ctx context.Context, id storage.APIKeyID) (storage.APIKey, error) {
	defer s.then()
	return s.store.APIKey(ctx, id)
}

// If a maker changes its key while an operator disables it, the operator wins.
func TestAKeyIsNotEnabledWhileItIsDisabled(t *testing.T) {
	for _, call := range []string{"Enable", "Change"} {
		for look := range 4 { // after which the operator disables it
			h := newFixture(t)
			a := h.keys()
			writer := func(d *Draft) { d.Name, d.Verbs = d.Name+"er", []string{VerbWrite} }
			maker, _ := h.create(a, writer)
			child, _, err := a.Create(h.ctx, h.visit, Holder(maker), draft(writer, writer))
			h.ok(err)
			meanwhile := h.keys()
			seen := 0
			a.store = interrupted{a.store, func() {
				if seen == look {
					h.ok(meanwhile.Disable(h.ctx, h.visit, Operator(), child.ID))
				}
				seen++
			}}
			if call == "Enable" {
				err = a.Enable(h.ctx, h.visit, Holder(maker), child.ID)
			} else {
				err = a.Change(h.ctx, h.visit, Holder(maker), child, child)
			}
			got, found := meanwhile.Get(h.ctx, child.ID)
			if found != nil || got.Disabled != (look < seen) {
				t.Errorf("%s, after look %d: %+v, %v, after %v; want it disabled", call, look, got, found, err)
			}
		}
	}
}

func TestTheChainOfMakersIsBounded(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	by := Operator()
	for i := range storage.MaxMakers + 1 {
		k, secret, err := a.Create(h.ctx, h.visit, by, draft(func(d *Draft) {
			d.Name, d.Dialects, d.Verbs = fmt.Sprintf("key %d", i), []string{DialectAdmin}, []string{VerbWrite}
		}))
		h.ok(err)
		if _, err := a.Authenticate(h.ctx, h.visit, secret); err != nil {
			t.Errorf("key %d: %v", i, err)
		}
		by = Holder(k)
	}
	if _, _, err := a.Create(h.ctx, h.visit, by, draft()); !errors.Is(err, ErrTooManyMakers) {
		t.Errorf("one more = %v, want %v", err, ErrTooManyMakers)
	}
}
