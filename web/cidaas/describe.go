package cidaas

import _ "embed" // for the description

//go:embed openapi.yaml
var description []byte

// OpenAPI returns the description of the calls.
func OpenAPI() []byte { return description }
