package server

import (
	"context"
	"errors"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// background runs everything that works beside the requests until ctx ends, and waits
// until it has finished what it holds.
func (s *Server) background(ctx context.Context) error {
	jobs := []func(context.Context) error{s.Journal.Run, s.Sessions.Run, s.Provider.Run, s.APIKeys.Run, s.Deliveries.Run, s.sweep, s.watchClock, s.watchFiles, s.watchMetadata, s.rotateKeys}
	ends := make(chan error, len(jobs))
	for _, job := range jobs {
		go func() { ends <- job(ctx) }()
	}
	var errs []error
	for range jobs {
		if err := <-ends; err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// keepExpired is how long rows stay after they expire: the clock of this server may be ahead of
// another's, which would forget what was used or revoked while it still accepts it.
const keepExpired = time.Minute

// SweepExpired removes rows that have expired by the clock of every server, so few at a time that no lock
// is held for long, and returns how many.
func (s *Server) SweepExpired(ctx context.Context) (int, error) {
	return s.Store.Sweep(ctx, s.Now().Add(-keepExpired), 250)
}

// sweep removes expired rows every minute.
func (s *Server) sweep(ctx context.Context) error {
	return every(ctx, time.Minute, func() {
		if _, err := s.SweepExpired(ctx); err != nil {
			if ctx.Err() == nil {
				s.Log.Error("sweep", "error", err)
			}
			return
		}
		if _, err := s.Invitations.Sweep(ctx); err != nil {
			s.Log.Error("sweep invitations", "error", err)
			return
		}
		if ctx.Err() == nil {
			s.sweptAt.Store(s.Now().Unix())
		}
	})
}

// watchClock reports that this server's clock has drifted from the database's.
func (s *Server) watchClock(ctx context.Context) error {
	drifted := false
	return every(ctx, time.Minute, func() {
		skew, err := s.health.skew(ctx)
		if err != nil {
			return
		}
		if skew > skewServing {
			s.Log.Error("the clock differs from the database's", "by", skew.String())
			if !drifted {
				s.Journal.Note(s.configurationEvent("clock"))
			}
		}
		drifted = skew > skewServing
	})
}

// configurationEvent is the event of a server whose surroundings do not fit.
func (s *Server) configurationEvent(reason string) storage.Event {
	return s.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventConfiguration, Outcome: mfa.OutcomeFailed, Actor: "system",
		Detail: map[string]string{"reason": reason}})
}

// rotateKeys rotates the keys that are due, at the start and every hour.
func (s *Server) rotateKeys(ctx context.Context) error {
	do := func() {
		if err := s.Keys.RotateDue(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("rotate keys", "error", err)
		}
	}
	do()
	return every(ctx, time.Hour, do)
}

func every(ctx context.Context, d time.Duration, do func()) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			do()
		}
	}
}
