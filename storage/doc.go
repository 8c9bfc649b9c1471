// Package storage defines the records of Sallyport and the contracts of its engines.
//
// It has no clock, no randomness and no SQL. A call is as large as the step of a login
// it serves. It is one transaction with one commit, so a crash can lose a proof but
// never duplicate one.
//
// Everything that may happen once (an exchange, a TOTP step, a recovery code, an
// authorization code, a refresh generation, the end of a request) is spent by one
// conditional statement. Exactly one of any number of concurrent callers gets nil; the
// others get ErrConflict.
//
// Capabilities (RequestID, ExchangeID, StatusID, TrackID, links and codes of tickets) are passed in plaintext; an engine stores keyed hashes of them. Fields marked "sealed" are returned
// unchanged; an engine stores them encrypted, bound to their row.
//
// Times are UTC, stored in whole microseconds.
package storage
