package relational_test

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"sallyport/storage/relational"
	"sallyport/storage/storagetest"
)

func TestADatabaseThatIsNotUTF8IsRefused(t *testing.T) {
	dsn := storagetest.NewServer(t).Address("postgres")
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		address, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		address.Path = "/" + strings.ToLower(encoding)
		name := strings.TrimPrefix(address.Path, "/")
		change(t, direct(t, dsn), "CREATE DATABASE "+name+" ENCODING '"+encoding+"' LOCALE 'C' TEMPLATE template0")
		_, err = relational.Open(t.Context(), address.String(), keyring(t), relational.Options{})
		if err == nil || !strings.Contains(err.Error(), encoding) || !strings.Contains(err.Error(), "ENCODING 'UTF8'") {
			t.Errorf("Open = %v, want a refusal that names %s and what to do", err, encoding)
		}
	}
}

func TestIndexesOfAnotherCollationAreLogged(t *testing.T) {
	server := storagetest.NewServer(t)
	admin := direct(t, server.Address("postgres"))
	change(t, admin, "CREATE DATABASE sorted LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C' ENCODING 'UTF8' TEMPLATE template0")
	logged := func() bool {
		t.Helper()
		var log bytes.Buffer
		e, err := relational.Open(t.Context(), server.Address("sorted"), keyring(t), relational.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		return strings.Contains(log.String(), "REINDEX DATABASE")
	}
	if logged() {
		t.Error("a new database needs new indexes")
	}
	change(t, admin, "UPDATE pg_database SET datcollversion = '1.2.3' WHERE datname = 'sorted'")
	if !logged() {
		t.Error("no log line names the indexes")
	}
	change(t, admin, "ALTER DATABASE sorted REFRESH COLLATION VERSION")
	if logged() {
		t.Error("the log line stays after the refresh")
	}
}

// withWords adds words to an address.
func withWords(t *testing.T, dsn, words string) string {
	t.Helper()
	if strings.Contains(dsn, "?") {
		return dsn + "&" + words
	}
	return dsn + "?" + words
}

func TestTheEncodingOfTheClientIsPinned(t *testing.T) {
	dsn := storagetest.Postgres(t)
	k := keyring(t)
	e := open(t, withWords(t, dsn, "client_encoding=LATIN1"), k)
	l := newLogin()
	l.email = "zoë.łukasz@example.com"
	if err := e.CreateUser(t.Context(), l.newUser()); err != nil {
		t.Fatal(err)
	}
	if got := column(t, direct(t, dsn), "SELECT value FROM identifiers"); len(got) != 1 || got[0] != l.email {
		t.Errorf("stored %q, want %q", got, l.email)
	}
}

func TestWordsAboutThePoolHoldForEveryCommand(t *testing.T) {
	dsn := withWords(t, storagetest.Postgres(t), "pool_max_conns=2&pool_min_conns=1&pool_max_conn_lifetime=5m&pool_max_conn_lifetime_jitter=1m&pool_max_conn_idle_time=1m&pool_health_check_period=30s")
	e := open(t, dsn, keyring(t)) // migrates
	if _, err := e.Migrations(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	if got := e.Connections().Most; got != 2 {
		t.Errorf("%d connections at most, want 2", got)
	}
}
