package relational_test

import (
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
)

// BenchmarkSteps measures the storage calls of a login on both databases.
func BenchmarkSteps(b *testing.B) {
	for name, address := range engines() {
		b.Run(name, func(b *testing.B) { benchmarkSteps(b, open(b, address(b), keyring(b))) })
	}
}

func benchmarkSteps(b *testing.B, e *relational.Engine) {
	ctx, l := b.Context(), newLogin()
	setUp := []func() error{
		func() error { return e.CreateUser(ctx, l.newUser()) },
		func() error { return e.OpenRequest(ctx, l.authRequest()) },
		func() error {
			return e.FinishRequest(ctx, storage.Finish{Now: t0, Session: &l.session, NewSession: true, Code: &l.grant})
		},
		func() error {
			return e.RedeemCode(ctx, l.redemption())
		},
	}
	for _, do := range setUp {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
	generation := int64(0)
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"request", func() error { _, _, err := e.Request(ctx, l.request, l.email, t0); return err }},
		{"session", func() error { _, _, err := e.Session(ctx, l.session.ID, t0); return err }},
		{"grant", func() error { _, err := e.Grant(ctx, l.grant.ID); return err }},
		{"open", func() error {
			r := l.authRequest()
			r.ID = random[storage.RequestID]()
			return e.OpenRequest(ctx, r)
		}},
		{"finish", func() error {
			s, g := l.session, l.grant
			s.ID, g.ID = ordered[storage.SessionID](), ordered[storage.GrantID]()
			return e.FinishRequest(ctx, storage.Finish{Now: t0, Session: &s, NewSession: true, Code: &g, Events: []storage.Event{l.event(), l.event()}})
		}},
		{"refresh", func() error {
			err := e.RotateRefresh(ctx, storage.Rotation{ID: l.grant.ID, Generation: generation, Until: t0.Add(time.Hour), Now: t0, Events: []storage.Event{l.event()}})
			generation++
			return err
		}},
		{"event", func() error { return e.AppendEvents(ctx, []storage.Event{l.event()}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
