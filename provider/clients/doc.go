// Package clients holds registered clients: the record and what follows from it, the copies
// in memory, and the registry in which administrators change them.
package clients
