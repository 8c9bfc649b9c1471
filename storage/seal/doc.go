// Package seal keeps secrets secret in an engine's own bytes.
//
// The key file holds key-encryption keys (KEK) and nothing else. Every other
// secret of the server is a row of storage.Key, sealed under a KEK: the key that
// encrypts columns, the ones behind keyed hashes, the password pepper, tokens,
// signing keys. A Keyring opens these rows once and answers from memory, without
// locks, while the rows are rotated and wrapped anew underneath it.
//
// Whatever is sealed is bound to its purpose and its row by additional data, so a
// column copied to another row does not open.
//
// The package knows no database, no clock and no token format of its callers.
package seal
