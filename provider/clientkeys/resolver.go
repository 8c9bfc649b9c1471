package clientkeys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/provider/fetch"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// Refusals of a Resolver.
var (
	ErrNoKeys      = errors.New("the client has registered no keys")
	ErrMalformed   = errors.New("the token is not a signed JWT, or its alg is not allowed")
	ErrSignature   = errors.New("no key of the client verifies the signature")
	ErrUnavailable = errors.New("the keys of the client can not be fetched")
)

const (
	// keysKept is how long a set at a jwks_uri is used without asking again, and keysMost how long
	// at most, whatever its server says and if it does not respond: then a key that the client
	// removed is refused.
	keysKept, keysMost = 5 * time.Minute, time.Hour
	// refetch is how often tokens with unknown keys make the server fetch a set again, once at any
	// time and a second time. Anybody can send such tokens.
	refetch = 15 * time.Second
)

// Resolver verifies signatures of clients and encrypts for them.
type Resolver struct {
	fetcher *fetch.Fetcher
	now     func() time.Time
}

// New returns a Resolver.
func New(f *fetch.Fetcher, now func() time.Time) *Resolver { return &Resolver{fetcher: f, now: now} }

// Signed is what a client signed.
type Signed struct {
	Payload []byte
	Type    string // typ of the header; "": none
	Alg     string
	KeyID   string // kid of the header; "": none
}

// Has reports whether a client registered keys.
func Has(c *storage.Client) bool { return len(c.JWKS) > 0 || c.JWKSURI != "" }

// Verify verifies a JWS in compact form with the keys of a client, and one of the algorithms. If the
// header names no key, every key that fits is tried. A set at a jwks_uri is fetched again for a key
// that is not in it, so that a client may sign with a key as soon as it has published it. admit, if
// not nil, is called before anything is fetched; its error is then in the one that is returned.
func (r *Resolver) Verify(ctx context.Context, c *storage.Client, token string, algs []string, admit func() error) (Signed, error) {
	if !Has(c) {
		return Signed{}, ErrNoKeys
	}
	jws, err := jose.ParseSignedCompact(token, allowed(algs))
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	keys, d, err := r.keys(ctx, c, forSignatures, time.Time{}, admit)
	if err != nil {
		return Signed{}, err
	}
	signed, found := verify(jws, token, keys)
	if !found && c.JWKSURI != "" && r.again(d) {
		if keys, _, err = r.keys(ctx, c, forSignatures, d.At, admit); err != nil {
			return Signed{}, err
		}
		signed, found = verify(jws, token, keys)
	}
	if !found {
		return Signed{}, ErrSignature
	}
	return signed, nil
}

// HasCertificate reports whether a client registered a certificate (RFC 8705 section 2.2): a key with it
// in x5c or x5t#S256, or one without either, if it is the certificate's key. A set at a jwks_uri is
// fetched again as by Verify.
func (r *Resolver) HasCertificate(ctx context.Context, c *storage.Client, presented *x509.Certificate, admit func() error) (bool, error) {
	if !Has(c) {
		return false, ErrNoKeys
	}
	keys, d, err := r.keys(ctx, c, forSignatures, time.Time{}, admit)
	if err != nil {
		return false, err
	}
	matches := func(key jose.JSONWebKey) bool { return isOf(key, presented) }
	found := slices.ContainsFunc(keys, matches)
	if !found && c.JWKSURI != "" && r.again(d) {
		if keys, _, err = r.keys(ctx, c, forSignatures, d.At, admit); err != nil {
			return false, err
		}
		found = slices.ContainsFunc(keys, matches)
	}
	return found, nil
}

// isOf reports whether a key registers a certificate.
func isOf(key jose.JSONWebKey, c *x509.Certificate) bool {
	if len(key.Certificates) > 0 {
		return key.Certificates[0].Equal(c)
	}
	if sum := sha256.Sum256(c.Raw); len(key.CertificateThumbprintSHA256) > 0 {
		return bytes.Equal(key.CertificateThumbprintSHA256, sum[:])
	}
	public, ok := key.Key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// allowed returns those of the algorithms that clients may sign with at all.
func allowed(algs []string) []jose.SignatureAlgorithm {
	var out []jose.SignatureAlgorithm
	for _, alg := range algs {
		if slices.Contains(Algorithms(), alg) {
			out = append(out, jose.SignatureAlgorithm(alg))
		}
	}
	return out
}

// verify returns what a token says, if one of the keys verifies it.
func verify(jws *jose.JSONWebSignature, token string, keys []jose.JSONWebKey) (Signed, bool) {
	header := jws.Signatures[0].Protected
	for _, key := range keys {
		if header.KeyID != "" && key.KeyID != header.KeyID || !fits(key, header.Algorithm) {
			continue
		}
		payload, ok := signing.Payload(jws, token, key.Key)
		if !ok {
			continue
		}
		return signedOf(header, payload), true
	}
	return Signed{}, false
}

// keys returns the keys of a client for a use and when they were fetched; newer than a time that is not zero.
func (r *Resolver) keys(ctx context.Context, c *storage.Client, use string, than time.Time, admit func() error) ([]jose.JSONWebKey, fetch.Document, error) {
	if len(c.JWKS) > 0 {
		keys, _, err := parse(c.JWKS, use)
		return keys, fetch.Document{}, err
	}
	w := fetch.Want{URL: c.JWKSURI, Max: MaxSet, Least: keysKept, Most: keysMost, Admit: admit}
	get := r.fetcher.Get
	if !than.IsZero() {
		get = func(ctx context.Context, w fetch.Want) (fetch.Document, error) { return r.fetcher.Newer(ctx, w, than) }
	}
	d, err := get(ctx, w)
	if err != nil {
		return nil, fetch.Document{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	keys, _, err := parse(d.Body, use)
	if err != nil {
		return nil, fetch.Document{}, fmt.Errorf("%w: the key set %w", ErrUnavailable, err)
	}
	return keys, d, nil
}

// again reports whether a set may be fetched again for a key that is not in it. A client that has just
// changed its keys uses the new one at once, so what counts is the fetch before the last one.
func (r *Resolver) again(d fetch.Document) bool { return r.now().Sub(d.Before) >= refetch }
