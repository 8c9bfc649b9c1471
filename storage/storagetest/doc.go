// Package storagetest is the contract of storage as tests. An engine passes Run or
// it is none.
//
// It also starts a PostgreSQL server for tests, for what only SQLite ran is not
// proven.
package storagetest
