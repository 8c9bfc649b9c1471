// Package registration lets programs register themselves as clients (RFC 7591, OpenID Connect Dynamic
// Client Registration 1.0) and keep their registration up to date (RFC 7592). What they may be is the
// decision of package clientmetadata; this package decides who may register, and for how long.
//
// A registration lives: allowed by an initial access token or open to all, unused until its first
// tokens, used; it ends by its registrant, by an operator, or by time.
package registration
