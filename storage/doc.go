// Package storage says what Sallyport keeps and what an engine promises about it.
//
// It holds records and contracts and nothing else: no clock, no randomness, no SQL.
// A call is as large as the step of a login it serves. It runs in one transaction
// and ends in one commit, so that a crash can lose a proof but never double one.
//
// Everything that may happen once (an exchange, a TOTP step, a recovery code, an
// authorization code, a refresh generation, the end of a request) is spent by one
// conditional statement. Of any number of parallel callers exactly one gets nil,
// the others get ErrConflict.
//
// Identifiers that open something (RequestID, ExchangeID, StatusID, TrackID, codes)
// come in and go out in clear; an engine keeps keyed hashes of them. Fields whose
// comment says "sealed" come back as they went in; an engine keeps them encrypted,
// bound to the row they belong to.
//
// Times are UTC and are kept in whole microseconds.
package storage
