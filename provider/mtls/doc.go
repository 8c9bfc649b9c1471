// Package mtls judges the certificates that clients present in mutual TLS (RFC 8705): whether one is
// fit, who issued it, and whether its names are those of a client. That the caller has its key is
// proven before: by the handshake here, or at a proxy that is believed.
package mtls
