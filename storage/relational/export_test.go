package relational

import (
	"strings"
	"time"
)

// SweepOf returns the sweep statement of a table with this in its condition.
func (e *Engine) SweepOf(table, where string, now time.Time, limit int) (string, []any) {
	for _, x := range e.sweepable(now) {
		if x.table == table && strings.Contains(x.where, where) {
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
