// Package samples holds small applications to read, copy and run: spa signs in on its
// own login screen, native from a terminal. They use nothing of the server's code.
package samples

import "embed"

// SPA is the single-page application, as it is served.
//
//go:embed spa
var SPA embed.FS
