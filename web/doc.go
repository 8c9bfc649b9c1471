// Package web is the HTTP server: its listeners, the middleware that every request
// passes, and the surfaces behind it.
//
// A request gets a correlation id, a line in the access log, recovery from panics, the
// headers of every response, and is refused if the server is overloaded or the request
// is too large or malformed. Only then does it reach a surface. The package knows no
// protocol and no page; a Surface mounts those.
package web
