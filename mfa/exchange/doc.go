// Package exchange runs every proof of a login: it counts an attempt, compares it, spends
// what it uses up, and writes the factor into the authorization request.
//
// Its main record is the Status: one try at one authenticator. It begins as initiated,
// with an exchange that is good for its next step. A right response makes it verified and
// rotates the exchange; the login that wanted it makes it redeemed, and in the same
// transaction the proof becomes a Factor of the authorization request. On our own pages
// both moves happen at once. A Status ends by time, by five wrong responses, by being
// cancelled, or because a newer one of the same request and method superseded it.
//
// The attempt is counted and committed before the secret is compared, and what the proof
// spends (TOTP step, recovery code, exchange) is spent in one transaction before the caller
// learns that it was right. So guesses stay bounded however many run in parallel, and no
// right response counts twice (RFC 6238 section 5.2).
//
// Callers who have not proven the first factor learn nothing about an account: unknown
// identifiers get decoys that look, cost and count like the real thing.
package exchange
