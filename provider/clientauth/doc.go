// Package clientauth authenticates clients (RFC 6749 section 2.3) and throttles wrong secrets.
package clientauth
