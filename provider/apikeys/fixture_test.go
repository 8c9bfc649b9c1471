package apikeys

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
	"sallyport/storage/relational"
)

// fixture is a database with a clock that a test moves.
type fixture struct {
	t       testing.TB
	ctx     context.Context
	engine  *relational.Engine
	journal *audit.Journal
	visit   mfa.Caller
	logged  *strings.Builder
	clock   *mfatest.Clock
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	h := &fixture{t: t, ctx: context.Background(), clock: mfatest.NewClock(time.Date(2026, 5, 1, 10, 0, 0, 123456000, time.UTC)), logged: &strings.Builder{},
		visit: mfa.Caller{Address: "192.0.2.1", UserAgent: "test", Locale: "en"}}
	m := mfatest.Open(t, mfatest.Options{Now: h.now})
	h.engine, h.journal = m.Store, m.Journal
	return h
}

func (h *fixture) now() time.Time { return h.clock.Now() }

func (h *fixture) wait(d time.Duration) { h.clock.Advance(d) }

// ok stops the test at an error.
func (h *fixture) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// events counts the entries of the journal of a kind.
func (h *fixture) events(kind string) int {
	h.t.Helper()
	h.ok(h.journal.Flush(h.ctx))
	found, err := h.engine.ListEvents(h.ctx, storage.EventFilter{Kind: kind, Limit: 1000})
	h.ok(err)
	return len(found)
}

// keys returns the Keys of a live server.
func (h *fixture) keys() *Keys {
	return New(h.engine, h.journal, h.now, rand.Reader, "live", slog.New(slog.NewTextHandler(h.logged, nil)))
}
