package server_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/storage/storagetest"
)

// TestAnAdministratorHearsOfNothingInDoubt is R-6: no standby has the deletion of a user, so its
// outcome is unknown. Whoever tries again finds no user on the primary, and hears so only once a failover
// would not bring the user back.
func TestAnAdministratorHearsOfNothingInDoubt(t *testing.T) {
	t.Parallel()
	database := storagetest.NewServer(t).Address("postgres")
	settings, _, _ := servertest.NewUnstarted(t)
	servertest.UseDatabase(t, settings, database)
	o := servertest.Options(t, settings, new(servertest.Clock))
	o.Migrate = true
	c := &servertest.AdminAPI{T: t, Log: new(servertest.Buffer), Key: servertest.AdminKey, Called: map[string]bool{}, Server: servertest.Open(t, o)}
	var err error
	if c.Handler, err = c.Server.AdminAPI(servertest.AdminKey, o.Config.Issuer, server.NewLog(c.Log, "info"), o.Random); err != nil {
		t.Fatal(err)
	}
	servertest.Apply(t, settings, "users:\n  - {id: 00000000-0000-4000-8000-00000000000a, email: ada@example.com}\n")
	standby := func(name string) {
		t.Helper()
		db, err := pgx.Connect(context.Background(), database)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close(context.Background())
		for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '" + name + "'", "SELECT pg_reload_conf()"} {
			if _, err := db.Exec(context.Background(), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	standby("nobody")
	// Sessions read the setting a little later.
	for began := time.Now(); c.Server.Store.Settle(t.Context()) == nil; {
		if time.Since(began) > 20*time.Second {
			t.Fatal("commits do not wait for a standby")
		}
	}
	for _, try := range []string{"the deletion", "another try"} {
		if r := c.Call("DELETE", "/users/00000000-0000-4000-8000-00000000000a", nil); r.Code != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s = %d %s, want 503", try, r.Code, r.Raw)
		}
	}
	standby("")
	for began := time.Now(); ; {
		r := c.Call("DELETE", "/users/00000000-0000-4000-8000-00000000000a", nil)
		if r.Code == http.StatusNotFound || r.Code == http.StatusOK {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("once nobody has to wait = %d %s", r.Code, r.Raw)
		}
	}
}
