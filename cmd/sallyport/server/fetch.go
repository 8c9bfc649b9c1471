package server

import (
	"fmt"
	"maps"
	"slices"

	"sallyport/config"
	"sallyport/provider/clientdocument"
	"sallyport/provider/clientkeys"
	"sallyport/provider/clientmetadata"
	"sallyport/provider/fetch"
	"sallyport/provider/registration"
)

// newFetcher returns what reads documents that clients publish.
func newFetcher(p Options) (*fetch.Fetcher, error) {
	f := p.Config.Fetch
	roots, err := f.Roots()
	if err != nil {
		return nil, err
	}
	return fetch.New(p.Now, fetch.Options{Allowed: f.Networks(), Roots: roots}), nil
}

// registrationOptions returns how clients register themselves.
func registrationOptions(c config.Registration) (registration.Options, error) {
	o := registration.Options{Mode: c.Mode, Unused: c.Unused, Idle: c.Idle, MaxUnused: c.MaxUnused,
		Rules: clientmetadata.Rules{Scopes: c.Scopes, Audience: c.Audience, MFA: c.MFA, ClientCredentials: c.ClientCredentials}}
	for _, name := range slices.Sorted(maps.Keys(c.StatementIssuers)) {
		set, uri, err := c.KeysOf(name)
		if err == nil && set != nil {
			err = clientkeys.CheckSet(set, false)
		}
		if err != nil {
			return o, fmt.Errorf("registration.statement_issuers: %s: %w", name, err)
		}
		o.Statements = append(o.Statements, registration.Issuer{Name: name, JWKS: set, JWKSURI: uri})
	}
	return o, nil
}

// documents returns which clients may describe themselves; nil: none.
func documents(c config.Config) *clientdocument.Options {
	d := c.ClientDocuments
	if !d.Enabled {
		return nil
	}
	return &clientdocument.Options{Hosts: d.Hosts, Scopes: d.Scopes, Audience: c.Resources, MFA: d.MFA}
}
