package relational_test

import (
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// TestARedemptionTouchesNoIndex: PostgreSQL then updates the row in its page (HOT), as it does
// for a refresh.
func TestARedemptionTouchesNoIndex(t *testing.T) {
	dsn := storagetest.Postgres(t)
	e := unmigrated(t, dsn)
	if err := e.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const grants = 100
	for range grants {
		l := newLogin()
		if err := e.FinishRequest(t.Context(), storage.Finish{Now: t0, Code: &l.grant}); err != nil {
			t.Fatal(err)
		}
		if err := e.RedeemCode(t.Context(), l.redemption()); err != nil {
			t.Fatal(err)
		}
		if err := e.RotateRefresh(t.Context(), storage.Rotation{ID: l.grant.ID, Until: t0.Add(time.Minute), Now: t0}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil { // its connections report what they did when they end
		t.Fatal(err)
	}
	db := direct(t, dsn)
	updated, inPlace := 0, 0
	for range 500 {
		row := db.QueryRowContext(t.Context(), "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables, pg_sleep(0.02) WHERE relname = 'grants'")
		if err := row.Scan(&updated, &inPlace); err != nil {
			t.Fatal(err)
		}
		if updated == 2*grants {
			break
		}
	}
	// Where a page is full a row moves to another.
	if updated != 2*grants || inPlace < updated*9/10 {
		t.Errorf("%d updates, %d of them in place; want %d, almost all in place", updated, inPlace, 2*grants)
	}
}
