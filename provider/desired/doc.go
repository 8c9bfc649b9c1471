// Package desired reads, validates, compares and applies the desired state: clients, users and
// API keys as written in a file or in a call of the admin API.
//
// The commands, the admin API and "sallyport dev" change these records only through it.
package desired
