package bench

import (
	"context"
	"errors"
	"time"

	"sallyport/storage"
)

// sweeping is how logins go beside a sweep.
type sweeping struct {
	Users         int                `json:"users"`
	LoginsASecond float64            `json:"logins_per_second"` // without a sweep
	P99Without    float64            `json:"p99_ms_without"`
	P99With       float64            `json:"p99_ms_with"`
	P50Without    float64            `json:"p50_ms_without"`
	P50With       float64            `json:"p50_ms_with"`
	RowsALogin    map[string]float64 `json:"rows_per_login"`
	SweptASecond  float64            `json:"swept_per_second"` // rows, beside logins
	TimesPeak     float64            `json:"times_peak"`       // how many times the logins it keeps up with
	Swept         int                `json:"swept"`
}

// sweepBeside measures logins with and without a sweep of expired rows beside them, in slices
// that alternate. Every slice with a sweep finds a new backlog.
func (t *town) sweepBeside(ctx context.Context, g growth) (sweeping, error) {
	login := growthOperations()[0]
	out := sweeping{Users: t.size, RowsALogin: map[string]float64{}}
	var without, with []float64
	var alone, busy time.Duration
	removed, written := int64(0), map[string]int64{}
	for round := range 2 * g.rounds {
		if _, err := t.conn.Exec(ctx, "CHECKPOINT"); err != nil { // as before a slice with a sweep
			return out, err
		}
		before, err := t.counts(ctx)
		if err != nil {
			return out, err
		}
		began := time.Now()
		part, err := t.slice(login, g.slice)
		if err != nil {
			return out, err
		}
		without, alone = append(without, part...), alone+time.Since(began)
		after, err := t.counts(ctx)
		if err != nil {
			return out, err
		}
		for table, n := range after {
			written[table] += n - before[table]
		}
		if err := t.expire(ctx, round); err != nil {
			return out, err
		}
		start := t.server.Store.Swept()
		sweeps, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			took, err := t.sweepUntil(sweeps, &out)
			busy += took
			ended <- err
		}()
		part, err = t.slice(login, g.slice)
		stop()
		if err := errors.Join(err, <-ended); err != nil {
			return out, err
		}
		with = append(with, part...)
		for table, n := range t.server.Store.Swept() {
			removed += n - start[table]
		}
	}
	out.LoginsASecond = float64(len(without)) / alone.Seconds()
	rows := 0.0 // a login
	for table, n := range written {
		out.RowsALogin[table] = float64(n) / float64(len(without))
		rows += out.RowsALogin[table]
	}
	out.SweptASecond = float64(removed) / busy.Seconds()
	out.TimesPeak = out.SweptASecond / (rows * out.LoginsASecond)
	out.P50Without, out.P99Without = percentiles(without)
	out.P50With, out.P99With = percentiles(with)
	return out, nil
}

// sweepUntil sweeps, as the server does every minute, until the context ends. It returns how long
// there was something to remove.
func (t *town) sweepUntil(ctx context.Context, out *sweeping) (time.Duration, error) {
	var busy time.Duration
	for ctx.Err() == nil {
		began := time.Now()
		n, err := t.server.SweepExpired(ctx)
		if err != nil && ctx.Err() == nil {
			return busy, err
		}
		if n > 0 {
			busy += time.Since(began)
		}
		out.Swept += n
	}
	return busy, nil
}

// backlog is how many grants, and as many events, expire before a slice with a sweep.
const backlog = 60_000

// expire copies rows that are to be swept.
func (t *town) expire(ctx context.Context, round int) error {
	// Copies have numbers that no others have, and times before everything that is kept.
	from := t.size + (round+1)*backlog
	old := func(i int) time.Duration { return -500*24*time.Hour + time.Duration(i-from)*time.Second }
	for _, table := range []string{"grants", "events"} {
		if err := t.copies(ctx, table, t.of[table], from, from+backlog, old); err != nil {
			return err
		}
	}
	_, err := t.conn.Exec(ctx, "CHECKPOINT")
	return err
}

// counts returns how many rows there are in the tables that a login writes for long.
func (t *town) counts(ctx context.Context) (map[string]int64, error) {
	var events, grants int64
	err := t.conn.QueryRow(ctx, "SELECT (SELECT COUNT(*) FROM events WHERE id >= $1), (SELECT COUNT(*) FROM grants WHERE id >= $1)", storage.TimeOrdered(t.first, zeros{})).Scan(&events, &grants)
	return map[string]int64{"events": events, "grants": grants}, err
}
