package relational

import (
	"context"
	"slices"

	"sallyport/storage"
)

// counter is a row of throttles.
type counter struct {
	key                             storage.ThrottleKey
	failures, next, updated, forget int64
}

// MoveThrottles implements storage.Throttles. It adds counters to the new ones and deletes
// the old in one transaction, so that no failure is lost or counted twice.
func (e *Engine) MoveThrottles(ctx context.Context, buckets []string, moves []storage.SubjectMove) (int, error) {
	if len(moves) == 0 || len(buckets) == 0 {
		return 0, nil
	}
	to := map[string][]byte{}
	subjects := make([]any, len(moves))
	for i, m := range moves {
		to[string(m.From)] = m.To
		subjects[i] = blob(m.From)
	}
	moved := 0
	err := e.step(ctx, "move counters", func(q querier) error {
		var found []counter
		err := q.each(`DELETE FROM throttles WHERE bucket IN ? AND subject IN ?
			RETURNING bucket, subject, failures, next_at, updated_at, forget_at`, []any{buckets, subjects}, func(rows scanner) error {
			var c counter
			err := rows.Scan(&c.key.Bucket, &c.key.Subject, &c.failures, &c.next, &c.updated, &c.forget)
			c.key.Subject = to[string(c.key.Subject)]
			found = append(found, c)
			return err
		})
		if err != nil {
			return err
		}
		moved = len(found)
		return q.addCounters(found)
	})
	return moved, err
}

// addCounters adds counters to existing ones, in the locking order of all steps.
func (q querier) addCounters(all []counter) error {
	slices.SortFunc(all, func(a, b counter) int { return compareKeys(a.key, b.key) })
	for _, c := range all {
		in := insertInto("throttles AS t (bucket, subject, failures, next_at, updated_at, forget_at)")
		in.add(clean(c.key.Bucket), blob(c.key.Subject), c.failures, c.next, c.updated, c.forget)
		err := in.run(q, `ON CONFLICT (bucket, subject) DO UPDATE SET failures = t.failures + excluded.failures,
			next_at = CASE WHEN t.next_at > excluded.next_at THEN t.next_at ELSE excluded.next_at END,
			updated_at = CASE WHEN t.updated_at > excluded.updated_at THEN t.updated_at ELSE excluded.updated_at END,
			forget_at = CASE WHEN t.forget_at > excluded.forget_at THEN t.forget_at ELSE excluded.forget_at END`)
		if err != nil {
			return err
		}
	}
	return nil
}
