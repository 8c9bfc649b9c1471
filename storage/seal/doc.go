// Package seal protects secrets that an engine stores.
//
// The key file holds only key-encryption keys (KEK). Every other key of the server is a
// storage.Key sealed under a KEK: the keys for columns, keyed hashes, tokens, signatures,
// and the password pepper. A Keyring opens these rows once and works from memory,
// without locks, while the rows are rotated and rewrapped.
//
// Sealed values are bound to their purpose and row by additional data, so a column copied
// to another row does not open.
//
// The package has no database, no clock and no token format of its callers.
package seal
