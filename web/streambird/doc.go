// Package streambird serves backends that were written for Streambird: with another base URL
// and key their calls set up authenticators, check codes and keep sessions here.
//
// It only translates: a call is authenticated by its API key, parsed, passed to package
// backend, and the result is written in Streambird's format. Users, factors, counters and
// sessions are those of every other surface.
//
// Every field is checked before the user is read, and package backend checks the user, then
// the session, then the code: a refused call spends no code. Every response is
// application/json, the engine's refusals under the surface's addresses included (Refuse),
// as the libraries read nothing else.
package streambird
