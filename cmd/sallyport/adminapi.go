package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"sallyport/config"
	"sallyport/web"
	"sallyport/web/admin"
)

// adminAPI builds the admin API over the house. The address of a caller is that of the
// connection: no proxy stands in front of the admin listener.
func (h *house) adminAPI(key config.Secret, issuer string, log *slog.Logger, random io.Reader) (http.Handler, error) {
	s := admin.New(admin.Rooms{Users: h.users, Sessions: h.sessions, Journal: h.journal, Clients: h.clients, APIKeys: h.apiKeys,
		Keyring: h.keyring, Records: h.records()}, h.now, admin.Options{Issuer: issuer, Key: admin.KeyOf(key.Reveal()), Logger: log})
	handler, err := web.New(web.Options{Issuer: issuer, Logger: log, Timeout: admin.Patience, MaxBody: admin.BodyMost}, random, h.now, s)
	if err != nil {
		return nil, fmt.Errorf("build admin API: %w", err)
	}
	return handler, nil
}
