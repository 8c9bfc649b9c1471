package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"sallyport/config"
	"sallyport/mfa/waits"
	"sallyport/web"
	"sallyport/web/admin"
)

// AdminAPI returns the handler of the admin API. A caller's address is that of its
// connection, because there is no proxy in front of the admin listener.
func (s *Server) AdminAPI(key config.Secret, issuer string, log *slog.Logger, random io.Reader) (http.Handler, error) {
	surface := admin.New(admin.Services{Users: s.Users, Invitations: s.Invitations, Sessions: s.Sessions, Messages: s.Messages, Waits: waits.New(s.Store, s.Keyring, s.Journal, s.Now), Journal: s.Journal, Clients: s.Clients, APIKeys: s.APIKeys, RegistrationTokens: s.RegistrationTokens,
		Keyring: s.Keyring, Records: s.Records()}, s.Now, admin.Options{Issuer: issuer, Key: admin.KeyOf(key.Reveal())})
	handler, err := web.New(web.Options{Issuer: issuer, Logger: log, Timeout: admin.Timeout, MaxBody: admin.MaxBody}, random, s.Now, surface)
	if err != nil {
		return nil, fmt.Errorf("build admin API: %w", err)
	}
	return handler, nil
}
