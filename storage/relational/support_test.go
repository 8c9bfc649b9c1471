package relational_test

import (
	"crypto/rand"
	"fmt"
	"reflect"
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
			plan := planOf(t, db, dsn, relational.SelectEvents+"1 = 1 AND "+where+relational.NewestFirst+"100")
			if !strings.Contains(plan, index) {
				t.Errorf("plan does not use %s: %s", index, plan)
			}
		}
	})
}

// TestLinesOfTheVersionBefore: their text holds all of an event, and is the canonical form.
func TestLinesOfTheVersionBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		event := newLogin().event()
		event.UserID, event.ClientID, event.CorrelationID, event.Login = ordered[storage.UserID](), "app", "N1", "L1"
		event.SessionID, event.Detail = ordered[storage.SessionID](), map[string]string{"a": "1"}
		if err := e.AppendEvents(t.Context(), []storage.Event{event}); err != nil {
			t.Fatal(err)
		}
		list := func() storage.Event {
			t.Helper()
			got, err := e.ListEvents(t.Context(), storage.EventFilter{Kind: event.Kind, Limit: 2})
			if err != nil || len(got) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			return got[0]
		}
		want := list()
		db := direct(t, dsn)
		stored := column(t, db, "SELECT canonical FROM events")[0]
		for _, held := range []string{string(event.ID), event.Kind, string(event.UserID), "app", "N1", "L1"} {
			if strings.Contains(stored, held) {
				t.Errorf("the text of an event holds %q, as a column does: %s", held, stored)
			}
		}
		change(t, db, "UPDATE events SET canonical = '"+string(want.Canonical)+"'")
		if got := list(); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
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
