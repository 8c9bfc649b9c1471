// Package config holds the settings of the server, their defaults and their bounds. They are
// read from a YAML file (package strict) and from the environment, which takes precedence.
//
// A secret is never a setting, only the path of its file. The package reads and checks the
// settings; what they mean is up to its callers.
package config
