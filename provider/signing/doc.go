// Package signing signs tokens, verifies their signatures and publishes the key set.
package signing
