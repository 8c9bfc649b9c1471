// Package config reads what the operator wrote: the server's own settings and the
// desired state of clients and users.
//
// Both are YAML in a strict subset (no anchors, aliases, tags or second documents),
// read by one decoder that names every fault with its line instead of stopping at the
// first. Settings are also read from the environment. Neither ever quotes a value in
// a fault, because a state file holds passwords. What is secret about the server
// itself is never a setting, only the path of a file.
//
// The package decides nothing: it says what was written and whether it is allowed.
package config
