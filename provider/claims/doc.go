// Package claims holds the claims about users: the scopes that request them, the claims
// parameter, and their values in userinfo, ID tokens and access tokens.
package claims
