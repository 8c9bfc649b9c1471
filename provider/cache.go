package provider

import (
	"context"
	"fmt"
	"sync"

	"sallyport/storage"
)

// clientCache holds clients in memory, at most max of them. It is filled on demand; a
// miss reads the database. When the version of the clients moves, all of it goes.
type clientCache struct {
	store   storage.Clients
	max     int
	builtIn map[storage.ClientID]*client // ours, never stored

	mu    sync.RWMutex
	epoch int64 // grows with every drop
	held  map[storage.ClientID]*client
}

func newClientCache(store storage.Clients, max int, builtIn ...storage.Client) *clientCache {
	c := &clientCache{store: store, max: max, builtIn: map[storage.ClientID]*client{}, held: map[storage.ClientID]*client{}}
	for _, own := range builtIn {
		c.builtIn[own.ID] = newClient(own)
	}
	return c
}

// get returns a client, disabled ones included, or storage.ErrNotFound.
func (c *clientCache) get(ctx context.Context, id storage.ClientID) (*client, error) {
	if own := c.builtIn[id]; own != nil {
		return own, nil
	}
	if len(id) == 0 || len(id) > 255 || legal(string(id)) != string(id) {
		return nil, storage.ErrNotFound // not even one by its looks (RFC 6749 appendix A.1)
	}
	c.mu.RLock()
	found, epoch := c.held[id], c.epoch
	c.mu.RUnlock()
	if found != nil {
		return found, nil
	}
	stored, err := c.store.Client(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read client: %w", err)
	}
	found = newClient(stored)
	c.mu.Lock()
	defer c.mu.Unlock()
	// What was read before a drop may be what the drop was about.
	if c.epoch == epoch {
		for other := range c.held {
			if len(c.held) < c.max {
				break
			}
			delete(c.held, other) // any: the map's order is as good as random
		}
		c.held[id] = found
	}
	return found, nil
}

func (c *clientCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.held = map[storage.ClientID]*client{}
}

// originSet holds the origins of all enabled clients: a preflight says who calls, but
// not for which client (Fetch, section CORS-preflight). It is read on the first
// question after a change.
type originSet struct {
	store storage.Clients

	mu     sync.Mutex
	loaded bool
	set    map[string]bool
}

func (o *originSet) has(ctx context.Context, origin string) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.loaded {
		all, err := o.store.ListClients(ctx)
		if err != nil {
			return false, fmt.Errorf("list clients: %w", err)
		}
		o.set, o.loaded = map[string]bool{}, true
		for _, c := range all {
			if c.Disabled {
				continue
			}
			for origin := range newClient(c).origins {
				o.set[origin] = true
			}
		}
	}
	return o.set[origin], nil
}

func (o *originSet) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.loaded, o.set = false, nil
}

// OriginAllowed reports whether some enabled client registered an origin for calls from
// a browser. Without an answer from storage nobody is allowed.
func (p *Provider) OriginAllowed(ctx context.Context, origin string) bool {
	if origin == "" || origin == "null" {
		return false
	}
	ok, err := p.origins.has(ctx, origin)
	if err != nil {
		p.log.ErrorContext(ctx, "origins not read", "error", err)
	}
	return ok
}

// Client returns a client out of memory or storage. The value is shared: a reader must
// not change what it points to.
func (p *Provider) Client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	c, err := p.clients.get(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	return c.Client, nil
}
