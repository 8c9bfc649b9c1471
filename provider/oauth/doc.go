// Package oauth is what the endpoints for clients have in common.
package oauth
