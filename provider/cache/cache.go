// Package cache keeps records of storage in memory until their version changes.
package cache

import "sync"

// Cache is a bounded map of records that were read from storage. It is filled on demand
// and dropped as a whole when their version changes.
type Cache[K comparable, V any] struct {
	max int

	mu      sync.RWMutex
	epoch   int64 // incremented by every Drop
	entries map[K]V
}

// New returns a Cache of at most max entries.
func New[K comparable, V any](max int) *Cache[K, V] { return &Cache[K, V]{max: max} }

// Get returns the entry of a key. If there is none, the value may be read and Put with
// this epoch.
func (c *Cache[K, V]) Get(key K) (value V, epoch int64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	value, ok = c.entries[key]
	return value, c.epoch, ok
}

// Put stores a value unless the cache was dropped after epoch: then it may be outdated.
func (c *Cache[K, V]) Put(key K, value V, epoch int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return
	}
	for other := range c.entries {
		if len(c.entries) < c.max {
			break
		}
		delete(c.entries, other) // an arbitrary one
	}
	if c.entries == nil {
		c.entries = map[K]V{}
	}
	c.entries[key] = value
}

// Drop removes all entries.
func (c *Cache[K, V]) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.entries = nil
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries)
}
