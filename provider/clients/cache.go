package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"sallyport/provider/cache"
	"sallyport/provider/origin"
	"sallyport/storage"
)

// Cache keeps clients in memory, and the origins of all of them. A miss reads storage.
type Cache struct {
	store   storage.Clients
	builtIn map[storage.ClientID]*Client // not stored
	// documents reads clients that nobody registered; nil: there are none.
	documents Documents
	records   *cache.Cache[storage.ClientID, *Client]

	mu      sync.Mutex
	origins map[string]bool // of all enabled clients; nil: not read yet
}

// Documents reads clients from the documents at their client_id.
type Documents interface {
	// Client returns a client, from memory or its address. admit is called before a call.
	Client(ctx context.Context, id storage.ClientID, admit func() error) (*Client, error)
	// Known returns a client from memory; nil: it is not there.
	Known(id storage.ClientID) *Client
	// Holder returns what a client is without its document; nil: no client can have this ID.
	Holder(id storage.ClientID) *Client
}

// DocumentError says why a client_id leads to no document that can be used.
type DocumentError struct {
	Text string // for the developers of the client
	Away bool   // it may be there later
	Err  error  // for the log
}

// Error implements error.
func (e *DocumentError) Error() string {
	if e.Err == nil {
		return e.Text
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns storage.ErrNotFound: to who does not ask for more, there is no such client.
func (e *DocumentError) Unwrap() error { return storage.ErrNotFound }

// NewCache returns a Cache of at most max clients. builtIn are clients of the server itself.
func NewCache(store storage.Clients, max int, builtIn ...storage.Client) *Cache {
	c := &Cache{store: store, records: cache.New[storage.ClientID, *Client](max), builtIn: map[storage.ClientID]*Client{}}
	for _, b := range builtIn {
		c.builtIn[b.ID] = New(b)
	}
	return c
}

// With returns the cache, with clients that nobody registered.
func (c *Cache) With(d Documents) *Cache {
	c.documents = d
	return c
}

// Client returns a client, disabled ones included, or storage.ErrNotFound. It fetches nothing: a client
// with a document is found while that is in memory.
func (c *Cache) Client(ctx context.Context, id storage.ClientID) (*Client, error) {
	found, err := c.registered(ctx, id)
	if c.documents != nil && errors.Is(err, storage.ErrNotFound) {
		if known := c.documents.Known(id); known != nil {
			return known, nil
		}
	}
	return found, err
}

// Described is Client, and fetches the document of a client that has one. admit, if not nil, is called
// before. For a document that cannot be used the error is a *DocumentError too.
func (c *Cache) Described(ctx context.Context, id storage.ClientID, admit func() error) (*Client, error) {
	found, err := c.registered(ctx, id)
	if c.documents != nil && strings.HasPrefix(string(id), "https://") && errors.Is(err, storage.ErrNotFound) {
		return c.documents.Client(ctx, id, admit)
	}
	return found, err
}

// Holder is Enabled for who holds a token: a client whose document is not in memory is what all such
// clients are.
func (c *Cache) Holder(ctx context.Context, id storage.ClientID) (*Client, error) {
	found, err := c.Enabled(ctx, id)
	if found == nil && err == nil && c.documents != nil {
		if _, err := c.registered(ctx, id); errors.Is(err, storage.ErrNotFound) {
			found = c.documents.Holder(id)
		}
	}
	return found, err
}

// registered returns a client that an operator registered, or one of the server itself.
func (c *Cache) registered(ctx context.Context, id storage.ClientID) (*Client, error) {
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
