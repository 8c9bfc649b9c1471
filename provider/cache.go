package provider

import (
	"context"
	"fmt"
	"sync"

	"sallyport/storage"
)

// held is a bounded memory of what storage says. It is filled on demand; when a version
// moves, all of it goes.
type held[K comparable, V any] struct {
	max int

	mu    sync.RWMutex
	epoch int64 // grows with every drop
	of    map[K]V
}

// get returns what is held, and the epoch to put with where nothing is.
func (h *held[K, V]) get(key K) (value V, epoch int64, ok bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	value, ok = h.of[key]
	return value, h.epoch, ok
}

// put holds what was read, unless something was dropped since: it may be what the drop
// was about.
func (h *held[K, V]) put(key K, value V, epoch int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.epoch != epoch {
		return
	}
	for other := range h.of {
		if len(h.of) < h.max {
			break
		}
		delete(h.of, other) // any: the map's order is as good as random
	}
	if h.of == nil {
		h.of = map[K]V{}
	}
	h.of[key] = value
}

func (h *held[K, V]) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch++
	h.of = nil
}

// clientCache holds clients in memory. A miss reads the database.
type clientCache struct {
	held[storage.ClientID, *client]
	store   storage.Clients
	builtIn map[storage.ClientID]*client // ours, never stored
}

func newClientCache(store storage.Clients, max int, builtIn ...storage.Client) *clientCache {
	c := &clientCache{held: held[storage.ClientID, *client]{max: max}, store: store, builtIn: map[storage.ClientID]*client{}}
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
	found, epoch, ok := c.held.get(id)
	if ok {
		return found, nil
	}
	stored, err := c.store.Client(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read client: %w", err)
	}
	found = newClient(stored)
	c.put(id, found, epoch)
	return found, nil
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
