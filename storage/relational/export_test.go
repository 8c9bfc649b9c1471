package relational

import "time"

// SweepOf returns the sweep statement of a table.
func (e *Engine) SweepOf(table string, now time.Time, limit int) (string, []any) {
	for _, x := range e.sweepable(now) {
		if x.table == table {
			text, args := x.sweeping(limit)
			text, args, err := numbered(text, args)
			if err != nil {
				panic(err)
			}
			return text, args
		}
	}
	panic("no such table: " + table)
}
