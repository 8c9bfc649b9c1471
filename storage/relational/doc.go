// Package relational keeps everything in PostgreSQL, or in SQLite where one file
// is enough.
//
// Both run the same statements, written out as SQL and sent through GORM's Raw and
// Exec. What is spent is spent by one conditional statement whose row count is
// checked; correctness never rests on an isolation level, and READ COMMITTED is all
// that is asked for. A transaction that meets a deadlock or a serialization failure
// is run again as a whole.
//
// Rows are always changed in this order, so that two steps do not wait for each
// other: users, requests, statuses, authenticators, sessions, consents, codes,
// grants, throttles, outbox, events.
//
// Times are Unix microseconds, 0 is the zero time. Lists and maps are JSON in a
// text column. Capabilities are looked up by keyed hash, under every living key.
package relational
