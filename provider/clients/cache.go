package clients

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sallyport/provider/cache"
	"sallyport/provider/origin"
	"sallyport/storage"
)

// Cache keeps clients in memory, and the origins of all of them. A miss reads storage.
type Cache struct {
	store   storage.Clients
	builtIn map[storage.ClientID]*Client // not stored
	records *cache.Cache[storage.ClientID, *Client]

	mu      sync.Mutex
	origins map[string]bool // of all enabled clients; nil: not read yet
}

// NewCache returns a Cache of at most max clients. builtIn are clients of the server itself.
func NewCache(store storage.Clients, max int, builtIn ...storage.Client) *Cache {
	c := &Cache{store: store, records: cache.New[storage.ClientID, *Client](max), builtIn: map[storage.ClientID]*Client{}}
	for _, b := range builtIn {
		c.builtIn[b.ID] = New(b)
	}
	return c
}

// Client returns a client, disabled ones included, or storage.ErrNotFound.
func (c *Cache) Client(ctx context.Context, id storage.ClientID) (*Client, error) {
	if b := c.builtIn[id]; b != nil {
		return b, nil
	}
	found, epoch, ok := c.records.Get(id)
	if ok {
		return found, nil
	}
	if !validID.MatchString(string(id)) {
		return nil, storage.ErrNotFound
	}
	stored, err := c.store.Client(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read client: %w", err)
	}
	found = New(stored)
	c.records.Put(id, found, epoch)
	return found, nil
}

// Enabled returns a client, or nil if it is unknown or disabled.
func (c *Cache) Enabled(ctx context.Context, id storage.ClientID) (*Client, error) {
	found, err := c.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && found.Disabled {
		return nil, nil
	}
	return found, err
}

// AllowsOrigin reports whether an enabled client registered an origin: a preflight request
// names the origin, but not the client (Fetch, section CORS-preflight). Origins are read on
// the first call after a change.
func (c *Cache) AllowsOrigin(ctx context.Context, from string) (bool, error) {
	if from = origin.Of(from); from == "" {
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.origins == nil {
		all, err := c.store.ListClients(ctx)
		if err != nil {
			return false, fmt.Errorf("list clients: %w", err)
		}
		c.origins = map[string]bool{}
		for _, stored := range all {
			if stored.Disabled {
				continue
			}
			for o := range New(stored).Origins {
				c.origins[o] = true
			}
		}
	}
	return c.origins[from], nil
}

// Drop discards everything, because the version of the clients changed.
func (c *Cache) Drop() {
	c.records.Drop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.origins = nil
}
