// Package clientdocument reads clients that nobody registered: their client_id is the address of a
// document with their metadata (draft-ietf-oauth-client-id-metadata-document). Whoever controls that
// address is the client, and nothing else about it is verified, so it is known by the host of the
// address first, and by the name that it gives itself second.
//
// Nothing is stored. Each server keeps documents in memory for as long as their servers allow, an
// hour at most; grants of such a client are records like any others.
package clientdocument
