// Package config holds the server's own settings: what there is, what it is when nothing is
// said, and what is allowed. They are read from a YAML file (package strict) and from the
// environment, which wins.
//
// What is secret about the server is never a setting, only the path of a file. The package
// decides nothing: it says what was written and whether it is allowed.
package config
