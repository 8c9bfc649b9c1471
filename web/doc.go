// Package web is the HTTP front: the engine, what every request passes through,
// and the list of surfaces behind it.
//
// A request gets a correlation id, an access log line, a guard against panics,
// the headers of every answer, and is then refused if the server is flooded or the
// request is larger or stranger than any honest one. Only then a surface sees it.
// The package knows no protocol and no page; a Surface mounts those.
package web
