package server

import (
	"net/url"
	"strings"

	"sallyport/config"
)

// ownWords are what others would try first as a password here: the names of the product
// and of the issuer.
func productWords(c config.Config) []string {
	words := append(strings.Fields(c.Product), c.Product, "sallyport")
	if u, err := url.Parse(c.Issuer); err == nil {
		words = append(append(words, u.Hostname()), strings.Split(u.Hostname(), ".")...)
	}
	return words
}
