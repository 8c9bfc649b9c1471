package server

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
func (h *Server) AdminAPI(key config.Secret, issuer string, log *slog.Logger, random io.Reader) (http.Handler, error) {
	s := admin.New(admin.Rooms{Users: h.Users, Sessions: h.Sessions, Journal: h.Journal, Clients: h.Clients, APIKeys: h.APIKeys,
		Keyring: h.Keyring, Records: h.Records()}, h.Now, admin.Options{Issuer: issuer, Key: admin.KeyOf(key.Reveal()), Logger: log})
	handler, err := web.New(web.Options{Issuer: issuer, Logger: log, Timeout: admin.Patience, MaxBody: admin.BodyMost}, random, h.Now, s)
	if err != nil {
		return nil, fmt.Errorf("build admin API: %w", err)
	}
	return handler, nil
}
