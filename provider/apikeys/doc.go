// Package apikeys keeps the API keys of backends: it creates, changes and rotates them,
// and authenticates requests that present one.
//
// A key that was created with another key has no right that key lacks, and ends with it.
package apikeys
