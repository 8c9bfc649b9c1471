package relational_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
)

// TestEventsAreFoundByNumberAndLogin: both are ranges of an index, in what may be the largest
// table by far.
func TestEventsAreFoundByNumberAndLogin(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		var events []storage.Event
		for i := range 3000 {
			at := t0.Add(time.Duration(i) * time.Second)
			events = append(events, storage.Event{ID: storage.EventID(storage.TimeOrdered(at, rand.Reader)), At: at, Kind: kindOf(i), Outcome: "ok",
				CorrelationID: fmt.Sprint("N", i), Login: fmt.Sprint("L", i/3)})
		}
		for part := range slices.Chunk(events, 250) { // as the journal writes them
			if err := e.AppendEvents(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		got, err := e.ListEvents(t.Context(), storage.EventFilter{CorrelationID: "N1000", Limit: 10})
		if err != nil || len(got) != 1 || got[0].CorrelationID != "N1000" || got[0].Login != "L333" {
			t.Errorf("by number: %+v, %v", got, err)
		}
		got, err = e.ListEvents(t.Context(), storage.EventFilter{Login: "L333", Limit: 10})
		if err != nil || len(got) != 3 || got[0].CorrelationID != "N1001" {
			t.Errorf("by login: %+v, %v", got, err)
		}
		from := t0.Add(2000 * time.Second)
		for kind, want := range map[string]int{"rare.kind": 1, "token.refreshed": 49} {
			got, err = e.ListEvents(t.Context(), storage.EventFilter{Kind: kind, From: from, To: from.Add(50 * time.Second), Limit: 100})
			if err != nil || len(got) != want {
				t.Errorf("%d of %s in 50 s, want %d: %v", len(got), kind, want, err)
			}
		}
		db := direct(t, dsn)
		change(t, db, "ANALYZE events")
		primary := "events_pkey"
		if strings.HasPrefix(dsn, "sqlite:") {
			primary = "sqlite_autoindex_events_1 (id>"
		}
		for index, where := range map[string]string{
			primary:       fmt.Sprintf("kind = 'token.refreshed' AND id >= '%s' AND id < '%s'", events[2000].ID, events[2050].ID),
			"events_rare": "kind = 'rare.kind' AND kind NOT IN (" + relational.FrequentKinds + ")", "events_correlation": "correlation_id = 'N1000' AND correlation_id <> ''", "events_login": "login = 'L333' AND login <> ''",
		} {
			plan := planOf(t, db, dsn, "SELECT canonical FROM events WHERE 1 = 1 AND "+where+" ORDER BY id DESC LIMIT 100")
			if !strings.Contains(plan, index) {
				t.Errorf("plan does not use %s: %s", index, plan)
			}
		}
	})
}

// kindOf makes one event of a hundred rare.
func kindOf(i int) string {
	if i%100 == 0 {
		return "rare.kind"
	}
	return "token.refreshed"
}
