// Package api is the login as JSON, for applications that show their own screens: a
// page of the client's on another origin, a program in a terminal, an app on a phone.
//
// It is one more face of the request the pages of package login show. Every call names
// the request, does one thing and answers with the next step, read from the same
// provider.Next; so a login may begin on one face and end on another. Nothing is
// decided here: a call is parse, one call down, write.
//
// Who may call is decided below, too. Clients with headless_login do without a cookie;
// everybody else is bound to the browser that made the authorize call. A page may call
// only from an origin its client registered. Whoever may not is told the same as one
// who made the request up.
//
// Handles travel in bodies only, never in an address, so that no log keeps them.
// openapi.yaml describes every call and is served beside them; a test holds each
// answer against it. Within v1 the surface only grows: unknown members of a body are
// ignored, and callers are asked to do the same.
package api
