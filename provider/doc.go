// Package provider processes authorization requests of OAuth 2 and OpenID Connect.
//
// Begin opens a request, Next returns the next step of the login, and Finish closes the
// request with a response to the client. In between, package mfa stores verified factors in
// the request; provider only evaluates them with mfa.Require. Codes and tokens are issued by
// package grants, and every token belongs to a stored grant: revoking the grant ends them all.
//
// There are three kinds of errors. A *PageError is shown to the user in the browser and is
// never sent to a redirect URI. An error for the client is part of an Answer. An *mfa.Error is
// the refusal of a step. All other errors are failures of the server.
package provider
