// Package mfa declares what the packages below it share: Method, Caller, Error, the audit
// event kinds and the policy table.
//
// A Method implements one kind of authenticator; it reads and never writes. Package exchange
// counts attempts and spends proofs for all methods. Require is the policy table: from the
// client's policy, the user's setting, the request and the proofs given it derives what a
// login still needs. Assess maps proofs to an assurance level.
//
// None of these packages knows HTTP or OAuth. They issue no codes and store no session at
// login; they return what both contain, and package provider completes the login.
package mfa
