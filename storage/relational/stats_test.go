package relational_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
)

// TestWrittenEventsAndSpans: in a login, Written gets exactly the audit trail, and every call
// has a span.
func TestWrittenEventsAndSpans(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		var reported []storage.EventID
		operations := map[string]int{}
		e := openWith(t, dsn, keyring(t), relational.Options{
			Written: func(events []storage.Event) {
				for _, e := range events {
					reported = append(reported, e.ID)
				}
			},
			Span: func(_ context.Context, operation string) func(error) {
				operations[operation]++
				return func(err error) {
					if err != nil && !errors.Is(err, storage.ErrConflict) {
						t.Errorf("%s: %v", operation, err)
					}
				}
			},
		})
		l := newLogin()
		for _, s := range l.steps(t, e) {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		stale := storage.RequestChange{ID: l.request, Version: 1, Restart: true, Now: t0}
		if err := e.ChangeRequest(t.Context(), stale, []storage.Event{l.event()}); !errors.Is(err, storage.ErrConflict) {
			t.Fatalf("ChangeRequest of an old version = %v, want %v", err, storage.ErrConflict)
		}
		kept, err := e.ListEvents(t.Context(), storage.EventFilter{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var want []storage.EventID
		for _, event := range kept {
			want = append(want, event.ID)
		}
		slices.Sort(reported)
		slices.Sort(want)
		if !slices.Equal(reported, want) || len(want) < 10 {
			t.Errorf("reported %d events, stored %d", len(reported), len(want))
		}
		if operations["redeem code"] != 1 || operations["spend"] != 1 || operations["list events"] != 1 {
			t.Errorf("spans of %v", operations)
		}
		c := e.Connections()
		if c.Most != 16 || c.Open < 1 || c.Idle < 0 || c.Busy != 0 {
			t.Errorf("connections = %+v", c)
		}
	})
}

func TestSwept(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		for range 3 {
			if err := e.OpenRequest(t.Context(), newLogin().authRequest()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Sweep(t.Context(), t0.Add(24*time.Hour), 2); err != nil {
			t.Fatal(err)
		}
		swept := e.Swept()
		if swept["auth_requests"] != 3 || swept["grants"] != 0 {
			t.Errorf("swept = %v, want 3 auth_requests", swept)
		}
		if _, ok := swept["outbox"]; !ok {
			t.Errorf("swept = %v, want every swept table in it", swept)
		}
	})
}
