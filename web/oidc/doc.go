// Package oidc is what client programs call: token, introspection, revocation,
// userinfo, the key set and discovery. Pages for people are in package login.
//
// The endpoints themselves are provider's; this room gives them their addresses, lets
// pages of registered origins call some of them, and says what may be cached.
package oidc
