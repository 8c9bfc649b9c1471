// Package storagetest has the tests of the storage contracts. Every engine must pass Run.
//
// It also starts PostgreSQL servers for tests.
package storagetest
