// Package apidocs serves the OpenAPI descriptions of the server's APIs: a list of them, a
// page for people for each, and its text for programs.
//
// New reads the descriptions (OpenAPI 3.0 and 3.1) and renders the pages once. A reference to
// nothing, or a keyword that a page cannot show, is an error. Of Markdown in a description a
// small part is rendered; all else is text.
package apidocs
