package apikeys

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/secret"
	"sallyport/storage"
)

const project = "project-live-00000000-0000-4000-8000-000000000001"

func draft(changes ...func(*Draft)) Draft {
	d := Draft{Name: "deploy", Dialects: []string{DialectAdmin}, Verbs: []string{VerbRead}}
	for _, change := range changes {
		change(&d)
	}
	return d
}

// create stores a key and returns it with its secret.
func (h *fixture) create(a *Keys, changes ...func(*Draft)) (storage.APIKey, string) {
	h.t.Helper()
	k, secret, err := a.Create(h.ctx, h.visit, Operator(), draft(changes...))
	h.ok(err)
	return k, secret
}

func TestSecretsAreRecognisable(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	for _, tc := range []struct {
		name  string
		draft func(*Draft)
		want  string
	}{
		{"a Sallyport key", func(d *Draft) { d.Name = "ours" }, `^sallyport_live_[\w-]{49}$`},
		{"one that the Streambird SDKs take", func(d *Draft) { d.Name, d.Dialects = "sb", []string{DialectStreambird, DialectAdmin} }, `^sk_live_[\w-]{49}$`},
		{"one for a Stytch project", func(d *Draft) { d.Name, d.Dialects, d.Project = "st", []string{DialectStytch}, project }, `^secret-live-[\w-]{49}$`},
	} {
		k, secret := h.create(a, tc.draft)
		if !regexp.MustCompile(tc.want).MatchString(secret) || !strings.HasSuffix(secret, checksum(secret[:len(secret)-checksumLength])) {
			t.Errorf("%s: got %q, want %s with its checksum", tc.name, secret, tc.want)
		}
		got, err := a.Authenticate(h.ctx, h.visit, secret)
		if err != nil || got.ID != k.ID {
			t.Errorf("%s: Authenticate = %s, %v, want %s", tc.name, got.ID, err, k.ID)
		}
	}
}

func TestSecretsAreNotStored(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	k, first := h.create(a)
	second, err := a.AddSecret(h.ctx, h.visit, Operator(), k.ID)
	h.ok(err)
	_, err = a.Authenticate(h.ctx, h.visit, first)
	h.ok(err)
	_, err = a.Authenticate(h.ctx, h.visit, first[:len(first)-1])
	h.ok(h.journal.Flush(h.ctx))
	copied := filepath.Join(t.TempDir(), "copy.db")
	h.ok(h.engine.Backup(h.ctx, copied))
	dump, readErr := os.ReadFile(copied)
	h.ok(readErr)
	if !bytes.Contains(dump, []byte("deploy")) || !bytes.Contains(dump, secret.Sum(second)) {
		t.Fatal("the copy lacks what is stored")
	}
	output := h.logged.String() + err.Error()
	for _, secret := range []string{first, second} {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), secret[len("sallyport_live_"):][:43]} {
			if bytes.Contains(dump, []byte(form)) || strings.Contains(output, form) {
				t.Errorf("%q is in the database, the log or an error", form)
			}
		}
	}
}

func TestInvalidDraftsAreRefused(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	_, ours := h.create(a, func(d *Draft) { d.Name = "taken" })
	for _, tc := range []struct {
		name  string
		draft func(*Draft)
		field string // "": none
	}{
		{"a plain one", func(*Draft) {}, ""},
		{"no name", func(d *Draft) { d.Name = "" }, "name"},
		{"a name that hides something", func(d *Draft) { d.Name = "a\x1b[2J" }, "name"},
		{"a name with a space behind it", func(d *Draft) { d.Name = "a " }, "name"},
		{"a name of 101 characters", func(d *Draft) { d.Name = strings.Repeat("ä", 101) }, "name"},
		{"a name of 100", func(d *Draft) { d.Name = strings.Repeat("ä", 100) }, ""},
		{"no dialect", func(d *Draft) { d.Dialects = nil }, "dialects"},
		{"an unknown dialect", func(d *Draft) { d.Dialects = []string{"admin", "klingon"} }, "dialects"},
		{"a dialect twice", func(d *Draft) { d.Dialects = []string{"admin", "admin"} }, "dialects"},
		{"no verb", func(d *Draft) { d.Verbs = nil }, "verbs"},
		{"an unknown verb", func(d *Draft) { d.Verbs = []string{"delete"} }, "verbs"},
		{"stytch without a project", func(d *Draft) { d.Dialects = []string{"stytch"} }, "project"},
		{"stytch with one", func(d *Draft) { d.Dialects, d.Project = []string{"stytch"}, project }, ""},
		{"a project without stytch", func(d *Draft) { d.Project = project }, "project"},
		{"a malformed project", func(d *Draft) { d.Dialects, d.Project = []string{"stytch"}, "project-live-1" }, "project"},
		{"a project of the other environment", func(d *Draft) {
			d.Dialects, d.Project = []string{"stytch"}, strings.Replace(project, "live", "test", 1)
		}, "project"},
		{"a name that reads as another", func(d *Draft) { d.Name = "a\u202eb" }, "name"},
		{"an app that reads as another", func(d *Draft) { d.Dialects, d.App = []string{"streambird"}, "Shop\u2066" }, "app"},
		{"an app without streambird", func(d *Draft) { d.App = "Shop" }, "app"},
		{"an app", func(d *Draft) { d.Dialects, d.App = []string{"streambird"}, "Shop" }, ""},
		{"a secret that could be guessed", func(d *Draft) { d.Secret = strings.Repeat("x", 31) }, "secret"},
		{"a secret that no header can carry", func(d *Draft) { d.Secret = strings.Repeat("x", 31) + "ü" }, "secret"},
		{"a secret that is too long", func(d *Draft) { d.Secret = strings.Repeat("x", 256) }, "secret"},
		{"a test key of Streambird", func(d *Draft) { d.Secret = "sk_test_" + strings.Repeat("x", 49) }, "secret"},
		{"a live key of Streambird", func(d *Draft) { d.Secret = "sk_live_" + strings.Repeat("x", 49) }, ""},
		{"a test secret of Stytch", func(d *Draft) { d.Secret = "secret-test-" + strings.Repeat("x", 36) }, "secret"},
		{"a test key of Sallyport", func(d *Draft) { d.Secret = strings.Replace(ours, "live", "test", 1) }, "secret"},
		{"a secret of Sallyport", func(d *Draft) { d.Secret = ours }, ""},
		{"a secret of Sallyport, cut", func(d *Draft) { d.Secret = ours[:60] }, "secret"},
		{"a secret and a hash", func(d *Draft) { d.Secret, d.SecretHash = ours, secret.Sum(ours) }, "secret"},
		{"a malformed hash", func(d *Draft) { d.SecretHash = []byte{1} }, "secret_sha256"},
	} {
		d := draft(tc.draft)
		faults := a.Faults(Operator(), d)
		if got := len(faults); got > 1 || (got == 0) != (tc.field == "") || got == 1 && faults[0].Field != tc.field {
			t.Errorf("%s: faults = %v, want %q", tc.name, faults, tc.field)
		}
		if tc.field == "" {
			continue
		}
		_, _, err := a.Create(h.ctx, h.visit, Operator(), d)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || len(d.Secret) > 0 && strings.Contains(err.Error(), d.Secret) {
			t.Errorf("%s: Create = %v, want the fault, and not the secret", tc.name, err)
		}
	}
}

func TestASecretIsImported(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	old := "sk_live_" + strings.Repeat("aB3", 17)
	k, created := h.create(a, func(d *Draft) { d.Secret = old })
	if created != "" {
		t.Errorf("an imported secret is shown: %q", created)
	}
	if got, err := a.Authenticate(h.ctx, h.visit, old); err != nil || got.ID != k.ID {
		t.Errorf("Authenticate = %v, %v", got, err)
	}
	for name, d := range map[string]Draft{
		"the same name":   draft(),
		"the same secret": draft(func(d *Draft) { d.Name, d.SecretHash = "other", secret.Sum(old) }),
	} {
		if _, _, err := a.Create(h.ctx, h.visit, Operator(), d); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: %v, want %v", name, err, ErrTaken)
		}
	}
}

func TestARotationHasTwoSecrets(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	k, first := h.create(a)
	opens := func(want map[string]bool) {
		t.Helper()
		h.ok(a.Poll(h.ctx))
		for secret, good := range want {
			if _, err := a.Authenticate(h.ctx, h.visit, secret); (err == nil) != good {
				t.Errorf("Authenticate = %v, want it to be good: %v", err, good)
			}
		}
	}
	if err := a.FinishRotation(h.ctx, h.visit, Operator(), k.ID); !errors.Is(err, secret.ErrNotRotating) {
		t.Errorf("FinishRotation = %v, want %v", err, secret.ErrNotRotating)
	}
	withdrawn, err := a.AddSecret(h.ctx, h.visit, Operator(), k.ID)
	h.ok(err)
	opens(map[string]bool{first: true, withdrawn: true})
	if _, err := a.AddSecret(h.ctx, h.visit, Operator(), k.ID); !errors.Is(err, secret.ErrRotating) {
		t.Errorf("AddSecret = %v, want %v", err, secret.ErrRotating)
	}
	h.ok(a.WithdrawSecret(h.ctx, h.visit, Operator(), k.ID))
	opens(map[string]bool{first: true, withdrawn: false})
	second, err := a.AddSecret(h.ctx, h.visit, Operator(), k.ID)
	h.ok(err)
	h.ok(a.FinishRotation(h.ctx, h.visit, Operator(), k.ID))
	opens(map[string]bool{first: false, withdrawn: false, second: true})
	if n := h.events(mfa.EventAPIKeyChanged); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
}

func TestChangesOfAKey(t *testing.T) {
	h := newFixture(t)
	a := h.keys()
	was, _ := h.create(a)
	next := was
	next.Name, next.Verbs, next.ExpiresAt = "deploys", []string{VerbRead, VerbWrite}, h.now().Add(time.Hour)
	h.ok(a.Change(h.ctx, h.visit, Operator(), was, next))
	if err := a.Change(h.ctx, h.visit, Operator(), was, next); !errors.Is(err, ErrChanged) {
		t.Errorf("a change of an outdated key: %v, want %v", err, ErrChanged)
	}
	got, err := a.Find(h.ctx, "deploys")
	if err != nil || got.ID != was.ID || !got.Allows(DialectAdmin, VerbWrite) || got.Allows(DialectStytch, VerbRead) || !got.UpdatedAt.After(was.UpdatedAt) {
		t.Errorf("Find = %+v, %v", got, err)
	}
	next.Dialects = []string{"klingon"}
	var invalid *InvalidError
	if err := a.Change(h.ctx, h.visit, Operator(), got, next); !errors.As(err, &invalid) {
		t.Errorf("an invalid change: %v, want the fault", err)
	}
	h.ok(a.Disable(h.ctx, h.visit, Operator(), was.ID))
	h.ok(a.Disable(h.ctx, h.visit, Operator(), was.ID))
	h.ok(a.Enable(h.ctx, h.visit, Operator(), was.ID))
	h.ok(a.Delete(h.ctx, h.visit, Operator(), was.ID))
	for name, err := range map[string]error{
		"Delete": a.Delete(h.ctx, h.visit, Operator(), was.ID), "Disable": a.Disable(h.ctx, h.visit, Operator(), was.ID),
		"Find":      func() error { _, err := a.Find(h.ctx, string(was.ID)); return err }(),
		"AddSecret": func() error { _, err := a.AddSecret(h.ctx, h.visit, Operator(), was.ID); return err }(),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of a deleted key: %v, want %v", name, err, ErrNotFound)
		}
	}
	found, err := h.engine.ListEvents(context.Background(), storage.EventFilter{Limit: 100})
	h.ok(err)
	var lines []string
	for _, e := range found {
		if strings.HasPrefix(e.Kind, "api_key.") && e.Detail["api_key"] == string(was.ID) && e.Address == h.visit.Address {
			lines = append(lines, strings.TrimPrefix(e.Kind, "api_key.")+" "+e.Detail["change"])
		}
	}
	want := map[string]int{"created ": 1, "changed settings": 1, "changed disabled": 1, "changed enabled": 1, "deleted ": 1}
	for _, line := range lines {
		want[line]--
	}
	for line, n := range want {
		if n != 0 {
			t.Errorf("event %q: %d too few; got %v", line, n, lines)
		}
	}
}
