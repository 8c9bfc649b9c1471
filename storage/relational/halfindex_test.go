package relational_test

import (
	"regexp"
	"testing"
	"time"

	"sallyport/storage/relational"
	"sallyport/storage/storagetest"
)

// TestAKilledMigrationLeavesNoHalfIndex is R-2: PostgreSQL keeps what was built of an index beside
// the traffic when the migration is killed, and calls it invalid. The next try builds it again.
func TestAKilledMigrationLeavesNoHalfIndex(t *testing.T) {
	dsn := storagetest.Postgres(t)
	db := direct(t, dsn)
	e, err := relational.Open(t.Context(), dsn, keyring(t), relational.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	concurrent := regexp.MustCompile(`CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(\w+) ON (\w+)`)
	halves := 0
	err = e.MigrateUp(t.Context(), func(m relational.Migration) {
		for _, index := range concurrent.FindAllStringSubmatch(m.Up, -1) {
			halves++
			change(t, db, "CREATE INDEX "+index[1]+" ON "+index[2]+" ((1))")
			change(t, db, "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = '"+index[1]+"'::regclass")
		}
	}, func(relational.Migration, time.Duration) {})
	if err != nil || halves < 4 {
		t.Fatalf("%d halves of indexes, %v", halves, err)
	}
	left := ""
	if err := db.QueryRowContext(t.Context(), "SELECT COALESCE(string_agg(indexrelid::regclass::text, ', '), '') FROM pg_index WHERE NOT indisvalid").Scan(&left); err != nil || left != "" {
		t.Errorf("invalid after the migration: %s, %v", left, err)
	}
}
