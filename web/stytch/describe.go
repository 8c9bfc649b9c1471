package stytch

import _ "embed" // for the description

// described is the address of the description.
const described = "/docs/api/stytch/openapi.yaml"

//go:embed openapi.yaml
var description []byte

// OpenAPI returns the description of the calls.
func OpenAPI() []byte { return description }
