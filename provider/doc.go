// Package provider is the protocol: OAuth 2 and OpenID Connect, spoken with clients.
//
// It opens an authorization request (Begin), says what has to happen next (Next) and
// closes it with an answer to the client (Finish). In between package mfa writes
// proofs into the request; provider never asks how a proof was given, only what
// mfa.Require says about it. At the token endpoint it turns codes and refresh tokens
// into access and ID tokens, which are statements about a stored grant: revoking the
// grant ends them all at once.
//
// It is the only room that knows fosite and go-jose. fosite validates authorization
// requests and runs the code, refresh and client-credentials grants; what it wants to
// write is gathered and stored by one call of the engine, after every token is made
// and signed. docs/fosite-edges.md lists where we do not let fosite decide.
//
// Errors are of three kinds. A *PageError is shown to the person in the browser and
// never sent to a redirect address; a refusal meant for the client travels inside an
// Answer or is written by the endpoint itself; an *mfa.Error is a refusal of a step.
// Everything else is a failure of the server.
package provider
