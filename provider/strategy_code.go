package provider

import (
	"context"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"sallyport/provider/secret"
)

// codeLength is the length of a code: 32 random bytes in base64url (RFC 6749 section 10.10).
const codeLength = 43

// codeStrategy makes authorization codes. Nothing signs them: the engine keeps a keyed
// hash, and a code it does not know is no code.
type codeStrategy struct{ p *Provider }

var _ oauth2.AuthorizeCodeStrategy = (*codeStrategy)(nil)

// AuthorizeCodeSignature is the code itself; the engine hashes it.
func (*codeStrategy) AuthorizeCodeSignature(_ context.Context, code string) string { return code }

// GenerateAuthorizeCode creates a code.
func (s *codeStrategy) GenerateAuthorizeCode(context.Context, fosite.Requester) (string, string, error) {
	code, err := secret.New(s.p.random)
	return code, code, err
}

// ValidateAuthorizeCode has nothing to add: reading the record was the check, expiry included.
func (*codeStrategy) ValidateAuthorizeCode(context.Context, fosite.Requester, string) error {
	return nil
}
