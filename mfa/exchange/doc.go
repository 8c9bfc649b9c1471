// Package exchange processes every proof of a login: it counts the attempt, compares the
// response, spends the proof, and adds the factor to the authorization request.
//
// Its main record is the Status: one try at one authenticator. A Status is initiated with an
// exchange, which authorizes its next step. A right response makes it verified and rotates
// the exchange. Redeeming it adds the proof to the authorization request as a Factor, in the
// same transaction. The login pages do both steps in one. A Status ends when it expires,
// after five wrong responses, when it is cancelled, or when a newer one of the same request
// and method supersedes it.
//
// The attempt is counted and committed before the secret is compared, and the proof (TOTP
// step, recovery code, exchange) is spent in one transaction before the caller learns that
// it was right. So parallel guesses stay bounded, and no right response counts twice (RFC
// 6238 section 5.2).
//
// Callers who have not proven the first factor learn nothing about an account: unknown
// identifiers get decoys that look, cost and count like real factors.
package exchange
