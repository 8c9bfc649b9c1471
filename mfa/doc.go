// Package mfa is what the packages below it share: what a Method is, who calls, why
// something is refused, and the policy table.
//
// A Method knows one kind of authenticator; it reads and never writes. Package exchange
// counts, spends and speaks for all methods. Require is the policy table: from client
// policy, the user's setting, what the request asks for and the proofs given it says what
// is missing. Assess says what proofs are worth.
//
// None of these packages knows HTTP or OAuth. They issue no codes and store no session at
// login: they say what both should contain, and package provider finishes.
package mfa
