// Package dpop verifies proofs that the caller has a key (RFC 9449). A code or token that is bound
// to the key is of no use to who stole it. Each proof is for one address and good once, on all
// servers together.
package dpop
