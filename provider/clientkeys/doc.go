// Package clientkeys verifies what clients sign and encrypts what they read, with the public keys that they
// registered by value (jwks) or by address (jwks_uri, RFC 7591 section 2). A token names its key and chooses nothing
// else: neither an algorithm that its caller does not allow, nor a key that is not registered.
package clientkeys
