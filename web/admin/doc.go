// Package admin is the admin API: what operators and their programs do to users, clients,
// sessions and keys, and what the commands of sallyport call.
//
// It is served on the admin listener, beside health and metrics, and requires a key: that
// of the server's key file, or an API key for the dialect "admin". The caller is the actor
// of every audit event. A call parses, calls mfa or provider, and writes; clients and
// users have the format of a desired-state file and pass through its reader.
//
// Unknown members, parameters and content types are refused: an operator must learn of a
// misspelt setting. openapi.yaml describes every call; a test validates every response
// against it.
package admin
