// Package api is the login as JSON, for applications with their own screens: a client's
// page on another origin, a program in a terminal, an app on a phone.
//
// Every call names a request, makes one change and responds with the next step, read from
// the same provider.Next as the pages of package login, so a login may begin in one surface
// and end in another. This package decides nothing: a call parses, calls provider or mfa
// once, and writes.
//
// Package provider authorizes the caller. Clients with headless_login need no cookie; a
// login of any other client is bound to the browser that opened it. A page may call only
// from an origin that its client registered. An unauthorized caller gets the same response
// as for a request that does not exist.
//
// Handles are sent in bodies, never in an address, where logs would keep them.
// openapi.yaml describes every call and web/apidocs serves it; a test validates every
// response against it. Within v1 the surface is only extended: it ignores unknown members
// of a body, and callers must do the same.
package api
