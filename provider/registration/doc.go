// Package registration lets programs register themselves as clients (RFC 7591, OpenID Connect Dynamic
// Client Registration 1.0) and keep their registration up to date (RFC 7592). What they may be is the
// decision of package clientmetadata; this package decides who may register, and for how long.
//
// A registration needs an initial access token, unless registration is open to all. It is unused until
// the client gets its first tokens. It ends when its registrant or an operator deletes it, or when it
// expires.
package registration
