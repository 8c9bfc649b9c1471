package relational

import (
	"context"
	"errors"
	"time"

	"sallyport/storage"
)

// tollBucket is the Bucket in a Refusal by a Toll.
const tollBucket = "send_country"

// sending is what limits a message.
type sending struct {
	counters []storage.Throttle
	toll     *storage.Toll
	now      time.Time
}

// counted runs a transaction that counts a message. If a counter refuses it is rolled back,
// and the reason is read afterwards.
func (e *Engine) counted(ctx context.Context, operation string, s sending, do func(querier) error) error {
	var by blocker
	err := e.burst(ctx, operation, func(q querier) error {
		by = blocker{}
		for _, t := range inOrder(s.counters) {
			count := q.countThrottle(t, s.now)
			count.miss = func() { by.throttle = &t }
			if err := q.write(count); err != nil {
				return err
			}
		}
		if err := do(q); err != nil || s.toll == nil {
			return err
		}
		// Last, as in Spend: the row of a country is locked for as short as can be.
		return q.write(countToll(*s.toll, func() { by.toll = s.toll }))
	})
	switch {
	case !errors.Is(err, storage.ErrConflict):
		return err
	case by.toll != nil:
		return &storage.RefusedError{Refusal: storage.Refusal{Bucket: tollBucket, Until: time.Unix((by.toll.Day+1)*24*60*60, 0).UTC()}}
	case by.throttle == nil:
		return err
	}
	refusal, failure := e.refusal(ctx, by, storage.Attempt{Now: s.now})
	if failure != nil {
		return failure
	}
	return &storage.RefusedError{Refusal: refusal}
}

// countToll counts a text message, if its country has some left on the day.
func countToll(t storage.Toll, miss func()) write {
	return write{otherwise: storage.ErrConflict, miss: miss, text: `INSERT INTO text_messages AS t (country, day, sent, verified) VALUES (?, ?, 1, 0)
		ON CONFLICT (country, day) DO UPDATE SET sent = t.sent + 1 WHERE t.sent < ? AND t.sent < ? + t.verified * ?`,
		args: []any{clean(t.Country), t.Day, int64(t.Max), int64(t.Free), int64(t.Ratio)}}
}

// returned counts a code of a text message that came back.
func (q querier) returned(t storage.Toll) error {
	return q.send("UPDATE text_messages SET verified = verified + 1 WHERE country = ? AND day = ?", clean(t.Country), t.Day)
}
