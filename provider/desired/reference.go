package desired

import (
	"embed"
	"reflect"

	"sallyport/config/strict"
)

//go:embed state.go apikey.go
var source embed.FS

// Reference describes every key of a desired state.
func Reference() ([]strict.Section, error) {
	return strict.Describe(reflect.ValueOf(State{}), "", source)
}
