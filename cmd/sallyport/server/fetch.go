package server

import (
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
