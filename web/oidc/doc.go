// Package oidc mounts the endpoints for client programs: token, pushed requests, introspection, revocation,
// userinfo, the key set and discovery. The authorization endpoint is in package login.
//
// Package provider implements the endpoints; this package adds addresses, CORS and caching.
package oidc
