package oauth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

const (
	// UserinfoPath is that of the userinfo endpoint, the protected resource of this server.
	UserinfoPath = "/userinfo"
	// ResourceMetadata is the path, before that of a resource, at which its metadata is (RFC 9728
	// section 3.1).
	ResourceMetadata = "/.well-known/oauth-protected-resource"
)

// Document is a published document, the same for every caller.
type Document struct {
	Body []byte
	ETag string
}

// NewDocument marshals a document.
func NewDocument(v any) (Document, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return Document{}, fmt.Errorf("write document: %w", err)
	}
	sum := sha256.Sum256(body)
	return Document{Body: body, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`}, nil
}
