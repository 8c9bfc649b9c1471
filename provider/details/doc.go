// Package details reads authorization details (RFC 9396): what a client asks for where a scope says too
// little, such as one payment. The operator declares their types and how users see them.
package details
