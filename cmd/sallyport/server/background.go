package server

import (
	"context"
	"errors"
	"time"
)

// background runs everything that works beside the requests until ctx ends, and
// lets it finish what it holds.
func (h *Server) background(ctx context.Context) error {
	jobs := []func(context.Context) error{h.Journal.Run, h.Sessions.Run, h.Provider.Run, h.APIKeys.Run, h.sweep, h.watchClock, h.rotateKeys}
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

// sweep removes expired rows, in batches small enough to hold no lock for long.
func (h *Server) sweep(ctx context.Context) error {
	const batch = 1000
	return every(ctx, time.Minute, func() {
		for n := batch; n >= batch && ctx.Err() == nil; {
			var err error
			if n, err = h.Store.Sweep(ctx, h.Now(), batch); err != nil {
				h.Log.Error("sweep", "error", err)
				return
			}
		}
		if ctx.Err() == nil {
			h.sweptAt.Store(h.Now().Unix())
		}
	})
}

// watchClock raises an alert when our clock and the database's part.
func (h *Server) watchClock(ctx context.Context) error {
	wrong := false
	return every(ctx, time.Minute, func() {
		skew, err := h.health.skew(ctx)
		if err != nil {
			return
		}
		if skew > skewServing {
			h.Log.Error("the clock differs from the database's", "by", skew.String())
			if !wrong {
				h.Journal.Note(h.configurationEvent("clock"))
			}
		}
		wrong = skew > skewServing
	})
}

// rotateKeys replaces keys that are old enough.
func (h *Server) rotateKeys(ctx context.Context) error {
	do := func() {
		if err := h.Keys.RotateDue(ctx); err != nil && ctx.Err() == nil {
			h.Log.Error("rotate keys", "error", err)
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
