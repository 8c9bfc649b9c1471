// Package admin is the admin API: what operators and their programs do to users, clients,
// sessions and keys, and what the commands of sallyport call.
//
// It stands on the admin listener, beside health and metrics, and needs a key: the one of
// the server's file, or an API key for the dialect "admin". Who called is the actor of
// every audit event. A call is parse, one call down, write; the rules are those of mfa
// and provider, and clients and users come in as they stand in a desired-state file,
// through the one reader there is for it. That reader is cmd's and comes in by Options.
//
// Unknown members, parameters and content types are refused: an operator who is not told
// of a misspelled word believes in a setting that is not in force. openapi.yaml describes
// every call; a test holds each answer against it.
package admin
