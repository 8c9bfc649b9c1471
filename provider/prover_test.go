package provider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage"
)

// prover makes the proofs of a client.
type prover struct {
	h      *fixture
	alg    jose.SignatureAlgorithm
	key    any
	public jose.JSONWebKey
}

func (h *fixture) prover() *prover {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.ok(err)
	return &prover{h, jose.ES256, key, jose.JSONWebKey{Key: key.Public()}}
}

func (p *prover) jkt() string {
	p.h.t.Helper()
	sum, err := p.public.Thumbprint(crypto.SHA256)
	p.h.ok(err)
	return base64.RawURLEncoding.EncodeToString(sum)
}

// part is a change of a proof: of a header if its name begins with "header ", otherwise of a claim;
// nil leaves it out.
type part struct {
	name  string
	value any
}

// sign signs a proof whose parts are changed.
func (p *prover) sign(claims map[string]any, changes ...part) string {
	p.h.t.Helper()
	headers := map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": p.public}
	claims = maps.Clone(claims)
	for _, c := range changes {
		if name, ok := strings.CutPrefix(c.name, "header "); ok {
			headers[jose.HeaderKey(name)] = c.value
			continue
		}
		if claims[c.name] = c.value; c.value == nil {
			delete(claims, c.name)
		}
	}
	o := &jose.SignerOptions{}
	for name, value := range headers {
		if value != nil {
			o = o.WithHeader(name, value)
		}
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: p.key}, o)
	p.h.ok(err)
	payload, err := json.Marshal(claims)
	p.h.ok(err)
	jws, err := s.Sign(payload)
	p.h.ok(err)
	out, err := jws.CompactSerialize()
	p.h.ok(err)
	return out
}

func (p *prover) forToken(changes ...part) string {
	return p.sign(map[string]any{"jti": storage.Random128(rand.Reader), "htm": "POST", "htu": issuer + "/token", "iat": p.h.now().Unix()}, changes...)
}

func (p *prover) forUserinfo(token string, changes ...part) string {
	sum := sha256.Sum256([]byte(token))
	return p.sign(map[string]any{"jti": storage.Random128(rand.Reader), "htm": "GET", "htu": issuer + "/userinfo", "iat": p.h.now().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:])}, changes...)
}
