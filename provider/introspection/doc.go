// Package introspection determines what a presented token is worth: introspection,
// revocation, userinfo, and management of the user's own account.
package introspection
