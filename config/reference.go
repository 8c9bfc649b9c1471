package config

import (
	"embed"
	"reflect"

	"sallyport/config/strict"
)

//go:embed clientdocuments.go config.go fetch.go mtls.go passkeys.go registration.go tracing.go usernames.go
var source embed.FS

// Reference describes every setting.
func Reference() ([]strict.Section, error) {
	return strict.Describe(reflect.ValueOf(Default()), Prefix, source)
}
