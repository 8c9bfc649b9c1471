// Package token defines the formats of access, refresh and ID tokens. It writes tokens and
// reads them back, but does not know whether the grant behind a token is still active.
package token
