// Package mfa decides who the user is and how sure we are of it.
//
// Its main record is the Status: one try at one authenticator. It begins as
// initiated, with an exchange that is good for its next step. A right answer makes
// it verified and rotates the exchange; the login that wanted it makes it redeemed,
// and in the same transaction the proof becomes a Factor of the authorization
// request. On our own pages both moves happen at once. A Status dies by time, by
// five wrong answers, by being cancelled, or because a newer one of the same
// request and method superseded it.
//
// Every proof goes the same way: its form is checked, the attempt is counted and
// committed, the secret is compared in constant time, what the proof spends (TOTP
// step, recovery code, exchange) is spent in one transaction, and only then is it
// answered. So guesses stay bounded however many run in parallel, and no right
// answer counts twice (RFC 6238 section 5.2).
//
// A Method knows one kind of authenticator; it reads and never writes. The Verifier
// counts, spends and speaks for all of them. Require is the policy table: from
// client policy, the user's wish, what the request asks and the proofs given it
// says what is missing. Assess says what proofs are worth.
//
// Whoever has not proven the first factor learns nothing about an account: unknown
// identifiers get decoys that look, cost and count like the real thing.
//
// The room knows no HTTP and no OAuth. It makes no codes and stores no sessions at
// login: it says what they should contain, and provider finishes.
package mfa
