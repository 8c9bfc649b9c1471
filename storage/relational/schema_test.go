package relational_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
)

// unmigrated returns an engine on an empty database.
func unmigrated(t *testing.T, dsn string) *relational.Engine {
	t.Helper()
	e, err := relational.Open(t.Context(), dsn, keyring(t), relational.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func silent(relational.Migration)                     {}
func silentAfter(relational.Migration, time.Duration) {}

func TestMigrationsWritesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := unmigrated(t, dsn)
		all, err := e.Migrations(t.Context())
		if err != nil || len(all) == 0 {
			t.Fatalf("Migrations = %v, %v", all, err)
		}
		for i, m := range all {
			if !m.AppliedAt.IsZero() || i > 0 && m.Version <= all[i-1].Version || !strings.HasSuffix(m.Name, ".sql") || m.Up == "" || m.Down == "" ||
				strings.Contains(m.Up, "+goose") || strings.Contains(m.Down, "+goose") {
				t.Errorf("step %d = %+v", i, m)
			}
		}
		tables := "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
		if strings.HasPrefix(dsn, "sqlite:") {
			tables = "SELECT name FROM sqlite_master"
		}
		if made := column(t, direct(t, dsn), tables); len(made) != 0 {
			t.Errorf("the list created %v", made)
		}
	})
}

func TestMigrateUpAndDown(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := unmigrated(t, dsn)
		var reported []string
		err := e.MigrateUp(t.Context(), func(m relational.Migration) { reported = append(reported, m.Name+" ...") },
			func(m relational.Migration, _ time.Duration) { reported = append(reported, m.Name) })
		all, listed := e.Migrations(t.Context())
		if err != nil || listed != nil || len(reported) != 2*len(all) || reported[0] != all[0].Name+" ..." || reported[1] != all[0].Name {
			t.Fatalf("reported %v, %v, %v", reported, err, listed)
		}
		for _, m := range all {
			if age := time.Since(m.AppliedAt); age < -time.Minute || age > time.Minute {
				t.Errorf("%s was applied %s ago", m.Name, age)
			}
		}
		newest := all[len(all)-1].Version
		if err := e.MigrateDown(t.Context(), newest+1); err == nil {
			t.Error("a migration that is not the newest was reverted")
		}
		if err := e.CheckSchema(t.Context()); err != nil {
			t.Errorf("CheckSchema = %v", err)
		}
		if err := e.MigrateDown(t.Context(), newest); err != nil {
			t.Fatal(err)
		}
		if err := e.CheckSchema(t.Context()); err == nil {
			t.Error("CheckSchema accepts a reverted schema")
		}
		if err := e.MigrateUp(t.Context(), silent, silentAfter); err != nil {
			t.Error(err)
		}
		change(t, direct(t, dsn), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
		all, err = e.Migrations(t.Context())
		if last := all[len(all)-1]; err != nil || last.Version != 9999 || last.Name != "" || last.AppliedAt.IsZero() {
			t.Errorf("a migration of a newer version = %+v, %v", last, err)
		}
		if err := e.CheckSchema(t.Context()); err != nil {
			t.Errorf("a newer schema: CheckSchema = %v, want none", err)
		}
	})
}

// TestMigrateUpKeepsData: migrating keeps the data and versions of the previous version, which
// may still be serving.
func TestMigrateUpKeepsData(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		l := newLogin()
		if err := e.CreateUser(t.Context(), l.newUser()); err != nil {
			t.Fatal(err)
		}
		if err := e.PutClient(t.Context(), storage.Client{ID: "app", UpdatedAt: t0}, nil); err != nil {
			t.Fatal(err)
		}
		all, err := e.Migrations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range slices.Backward(all[1:]) {
			if err := e.MigrateDown(t.Context(), m.Version); err != nil {
				t.Fatal(err)
			}
		}
		if v, err := e.Versions(t.Context()); err != nil || len(v) != 2 {
			t.Errorf("versions before = %v, %v; want those of clients and keys", v, err)
		}
		if err := e.MigrateUp(t.Context(), silent, silentAfter); err != nil {
			t.Fatal(err)
		}
		if v, err := e.Versions(t.Context()); err != nil || v["clients"] != 1 || len(v) != 3 {
			t.Errorf("versions after = %v, %v; want that of clients kept and that of API keys beside", v, err)
		}
		if a, err := e.Account(t.Context(), l.user); err != nil || len(a.Authenticators) != 3 {
			t.Errorf("account = %+v, %v", a, err)
		}
		if err := e.CreateAPIKey(t.Context(), l.apiKey, nil); err != nil {
			t.Error(err)
		}
	})
}

// TestPreviousVersionCreatesUsers: the previous version keeps working on the new schema, with
// the columns it knows.
func TestPreviousVersionCreatesUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		const id = "01970000-0000-7000-8000-000000000001"
		change(t, direct(t, dsn), "INSERT INTO users (id, status, mfa_enabled, profile, metadata, created_at, updated_at) "+
			"VALUES ('"+id+"', 'active', FALSE, '', '', 1, 1)")
		if a, err := e.Account(t.Context(), id); err != nil || a.User.Status != storage.UserActive || len(a.User.Roles) != 0 {
			t.Errorf("account = %+v, %v; want an active user without roles", a, err)
		}
	})
}

func TestPreviousVersionCreatesAPIKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		const id = "01970000-0000-7000-8000-000000000001"
		change(t, direct(t, dsn), "INSERT INTO api_keys (id, name, dialects, verbs, project, app, disabled, expires_at, created_at, updated_at, last_used_at) "+
			"VALUES ('"+id+"', 'old', '[\"admin\"]', '[\"read\"]', '', '', FALSE, 0, 1, 1, 0)")
		if line, err := e.APIKeyLine(t.Context(), id); err != nil || len(line) != 1 || line[0].Maker != "" || line[0].Name != "old" {
			t.Errorf("line = %+v, %v; want a key without a maker", line, err)
		}
	})
}

// TestPreviousVersionCreatesGrants: it creates them at the redemption of a code of its own,
// which stays in its table until it expires.
func TestPreviousVersionCreatesGrants(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		l := newLogin()
		if err := e.CreateUser(t.Context(), l.newUser()); err != nil {
			t.Fatal(err)
		}
		db := direct(t, dsn)
		until := fmt.Sprint(t0.Add(time.Hour).UnixMicro())
		change(t, db, "INSERT INTO grants (id, client_id, user_id, session_id, auth, offline, refreshable, generation, rotated_at, refresh_until, "+
			"expires_at, created_at, revoked_at, revoke_reason, sweep_at) VALUES ('"+string(l.grant.ID)+"', 'app', '"+string(l.user)+"', NULL, "+
			`'{"scopes":["openid"]}', TRUE, TRUE, 0, 0, `+until+", "+until+", "+fmt.Sprint(t0.UnixMicro())+", 0, '', "+until+")")
		g, err := e.Grant(t.Context(), l.grant.ID)
		if err != nil || !g.Alive() || !g.Grant.RedeemedAt.Equal(t0) || !g.Grant.CodeUntil.IsZero() {
			t.Errorf("grant = %+v, %v; want a valid one, redeemed when it was created", g, err)
		}
		if a := g.Grant.Authorization; a.ClientID != "app" || a.UserID != l.user || a.SessionID != "" || len(a.Scopes) != 1 {
			t.Errorf("authorization = %+v, want client and user from the columns", a)
		}
		if all, err := e.GrantsOf(t.Context(), l.user, t0); err != nil || len(all) != 1 {
			t.Errorf("grants = %+v, %v; want one", all, err)
		}
		if err := e.RotateRefresh(t.Context(), storage.Rotation{ID: l.grant.ID, Until: t0.Add(time.Minute), Now: t0}); err != nil {
			t.Errorf("refresh: %v", err)
		}
		if err := e.RedeemCode(t.Context(), l.redemption()); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("redemption: %v, want %v", err, storage.ErrConflict)
		}
		change(t, db, "INSERT INTO codes (hash, grant_id, client_id, user_id, auth, params, created_at, expires_at, used_at) "+
			"VALUES ('x', '"+string(l.grant.ID)+"', 'app', '"+string(l.user)+"', '{}', '{}', 1, 1, 0)")
		if n, err := e.Sweep(t.Context(), t0, 1000); n != 1 || err != nil {
			t.Errorf("swept %d, %v; want the code", n, err)
		}
	})
}

func TestConcurrentMigrateUp(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		var all sync.WaitGroup
		for range 4 {
			e := unmigrated(t, dsn)
			all.Go(func() {
				if err := e.MigrateUp(t.Context(), silent, silentAfter); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestBackup(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := keyring(t)
		e := open(t, dsn, k)
		l := newLogin()
		for _, s := range l.steps(t, e) {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		path := filepath.Join(t.TempDir(), "copy's.db")
		err := e.Backup(t.Context(), path)
		if !strings.HasPrefix(dsn, "sqlite:") {
			if !errors.Is(err, relational.ErrBackupUnsupported) {
				t.Errorf("Backup = %v, want %v", err, relational.ErrBackupUnsupported)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy has mode %v, %v; want 0600", info.Mode(), err)
		}
		if err := e.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
			t.Errorf("over an existing file: %v, want %v", err, os.ErrExist)
		}
		restored := open(t, "sqlite:"+path, k)
		a, err := restored.Account(t.Context(), l.user)
		if err != nil || len(a.Authenticators) != 3 || a.Authenticators[0].Broken {
			t.Errorf("account %+v, %v", a, err)
		}
		if g, err := restored.Grant(t.Context(), l.grant.ID); err != nil || g.Grant.RedeemedAt.IsZero() {
			t.Errorf("grant %+v, %v; want it redeemed", g, err)
		}
		if k, err := restored.APIKeyByHash(t.Context(), l.apiKey.Hashes[0]); err != nil || k[0].ID != l.apiKey.ID {
			t.Errorf("API key %+v, %v", k, err)
		}
		if err := restored.RedeemCode(t.Context(), l.redemption()); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("a used code in the copy: %v, want %v", err, storage.ErrConflict)
		}
		if err := restored.Spend(t.Context(), storage.Spend{Now: t0, Credential: &storage.CredentialSpend{User: l.user, Authenticator: l.totp, Step: 1}}); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("a used TOTP step in the copy: %v, want %v", err, storage.ErrConflict)
		}
	})
}
