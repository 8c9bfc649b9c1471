// Package oauth holds what the endpoints for clients have in common: errors, forms and
// responses of OAuth 2.
package oauth
