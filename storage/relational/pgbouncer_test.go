package relational_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/storagetest"
)

// roleSettings are those that docs/operations.md names.
const roleSettings = `ALTER ROLE postgres SET statement_timeout = '3s';
	ALTER ROLE postgres SET lock_timeout = '1s';
	ALTER ROLE postgres SET idle_in_transaction_session_timeout = '5s';
	ALTER ROLE postgres SET default_transaction_isolation = 'read committed'`

func TestContractThroughPgBouncer(t *testing.T) {
	server := storagetest.NewServer(t)
	change(t, direct(t, server.Address("postgres")), roleSettings)
	pooled := server.PgBouncer(t, "NAME")
	var n atomic.Int64
	storagetest.Run(t, func(t *testing.T) storage.Store {
		name := fmt.Sprintf("contract%d", n.Add(1))
		change(t, direct(t, server.Address("postgres")), "CREATE DATABASE "+name)
		k := keyring(t)
		open(t, server.Address(name), k) // migrates
		e, err := relational.Open(t.Context(), strings.Replace(pooled, "NAME", name, 1), k, relational.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		return e
	})
}

func TestSessionsBehindPgBouncerHaveTheTimeouts(t *testing.T) {
	server := storagetest.NewServer(t)
	k := keyring(t)
	open(t, server.Address("postgres"), k)
	_, err := relational.Open(t.Context(), server.PgBouncer(t, "postgres"), k, relational.Options{})
	for _, want := range []string{"statement_timeout = '3000'", "lock_timeout = '1000'", "idle_in_transaction_session_timeout = '5000'"} {
		if err == nil || !strings.Contains(err.Error(), "ALTER ROLE CURRENT_USER SET "+want) {
			t.Fatalf("Open = %v, want a refusal that sets %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "isolation") {
		t.Errorf("Open = %v, want nothing about what the role has", err)
	}
	// The statements of the refusal are all that is needed.
	_, statements, _ := strings.Cut(err.Error(), "run ")
	statements, _, _ = strings.Cut(statements, " and let")
	change(t, direct(t, server.Address("postgres")), statements)
	e, err := relational.Open(t.Context(), server.PgBouncer(t, "postgres"), k, relational.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "an address of PostgreSQL itself") {
		t.Errorf("Migrate = %v, want a refusal", err)
	}
	if err := e.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	// More callers than sessions, so that statements of each meet the sessions of others.
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 8 {
				l := newLogin()
				for _, s := range l.steps(t, e) {
					if err := s.do(); err != nil {
						t.Errorf("%s: %v", s.name, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
}
