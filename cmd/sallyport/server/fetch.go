package server

import (
	"sallyport/config"
	"sallyport/provider/clientdocument"
	"sallyport/provider/fetch"
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

// documents returns which clients may describe themselves; nil: none.
func documents(c config.Config) *clientdocument.Options {
	d := c.ClientDocuments
	if !d.Enabled {
		return nil
	}
	return &clientdocument.Options{Hosts: d.Hosts, Scopes: d.Scopes, Audience: c.Resources, MFA: d.MFA}
}
