// Package relational is the engine for PostgreSQL, and for SQLite where one file is
// enough.
//
// Both run the same SQL statements. Single use is one conditional statement whose row
// count is checked; correctness never depends on an isolation level above READ
// COMMITTED. After a deadlock or a serialization failure a whole transaction is retried.
//
// Rows are always changed in this order, so that transactions do not deadlock: users,
// remembered devices, requests, statuses,
// authenticators, sessions, consents, grants, throttles, API keys, versions, outbox,
// events.
//
// Times are Unix microseconds, 0 is the zero time. Lists and maps are JSON in a text
// column. Capabilities are looked up by keyed hash, under every valid key.
package relational
