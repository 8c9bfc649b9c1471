package provider

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
)

// codeLength is the length of a code: 32 random bytes in base64url (RFC 6749 section 10.10).
const codeLength = 43

// codeStrategy makes authorization codes. Nothing signs them: the engine keeps a keyed
// hash, and a code it does not know is no code.
type codeStrategy struct{ p *Provider }

var _ oauth2.AuthorizeCodeStrategy = (*codeStrategy)(nil)

// AuthorizeCodeSignature is the code itself; the engine hashes it.
func (*codeStrategy) AuthorizeCodeSignature(_ context.Context, code string) string { return code }

// GenerateAuthorizeCode draws a code.
func (s *codeStrategy) GenerateAuthorizeCode(context.Context, fosite.Requester) (string, string, error) {
	code, err := s.p.draw()
	return code, code, err
}

// ValidateAuthorizeCode has nothing to add: reading the record was the check, expiry included.
func (*codeStrategy) ValidateAuthorizeCode(context.Context, fosite.Requester, string) error {
	return nil
}

// draw returns 256 random bits in base64url.
func (p *Provider) draw() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(p.random, b[:]); err != nil {
		return "", fmt.Errorf("draw randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}
