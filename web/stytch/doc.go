// Package stytch serves backends that were written for Stytch's Consumer API: with the base
// URL and the credentials of this server their SDKs work unchanged.
//
// It only translates. A call is authenticated, parsed completely, passed to package
// mfa/backend, and answered in Stytch's format. Users, factors, counters and sessions are
// those of every other surface; their IDs are written with kind and environment.
//
// The SDKs parse every response as JSON, so every refusal of the surface's addresses is
// JSON, including the engine's (Refuse).
package stytch
