// Package clientmetadata maps client metadata, as programs write it (RFC 7591 section 2 and the
// registry that it established), to client settings. It is for clients that no operator registered: they
// describe themselves, so it also has the rules that bound them. What is not in its table is the
// operator's alone.
package clientmetadata
