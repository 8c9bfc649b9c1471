package clients

import (
	"context"
	"testing"

	"sallyport/storage"
)

// anyClient is a store with every client. It calls a function during each read.
type anyClient struct {
	storage.Clients
	during func()
}

func (s anyClient) Client(_ context.Context, id storage.ClientID) (storage.Client, error) {
	if s.during != nil {
		s.during()
	}
	return storage.Client{ID: id}, nil
}

func TestTheCacheIsBounded(t *testing.T) {
	c := NewCache(anyClient{}, 2)
	for _, id := range []storage.ClientID{"a", "b", "c", "d"} {
		if _, err := c.Client(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.records.Len(); n != 2 {
		t.Errorf("%d clients are cached, want 2", n)
	}
}

func TestAClientReadBeforeADropIsNotKept(t *testing.T) {
	c := NewCache(nil, 10)
	c.store = anyClient{during: c.Drop}
	if _, err := c.Client(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if c.records.Len() != 0 {
		t.Error("a client read before the drop is cached after it")
	}
}
