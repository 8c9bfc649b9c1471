// Package samples has small applications to read, copy and run: spa has its own login page,
// native signs in from a terminal. They use none of the server's code.
package samples

import "embed"

// SPA is the single-page application.
//
//go:embed spa
var SPA embed.FS
