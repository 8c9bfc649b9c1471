// Package grants issues codes and tokens: in authorization responses, and at the token
// endpoint for codes, refresh tokens and client credentials.
//
// fosite runs the grants. What it wants to write is collected and stored in one transaction,
// after all tokens are signed. docs/fosite-edges.md lists where fosite does not decide.
package grants
