// Package wireid writes and reads the identifiers that programs of the Streambird and Stytch
// dialects know. They hold the 16 bytes of the server's own identifiers, so nothing more is
// stored: reading one gives the identifier back, and what cannot be read names nothing.
package wireid
