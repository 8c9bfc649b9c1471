package main

import (
	"bytes"
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
	s := admin.New(admin.Services{Users: h.users, Sessions: h.sessions, Journal: h.journal, Clients: h.clients, APIKeys: h.apiKeys,
		Keyring: h.keyring, Records: h.records()}, h.now, admin.Options{Issuer: issuer, Key: admin.KeyOf(key.Reveal()), Logger: log})
	handler, err := web.New(web.Options{Issuer: issuer, Logger: log, Timeout: admin.Timeout, MaxBody: admin.MaxBody}, random, h.now, s)
	if err != nil {
		return nil, fmt.Errorf("build admin API: %w", err)
	}
	return handler, nil
}

// inProcess takes requests to a handler in this process, for commands on a machine where
// no server runs.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RequestURI = r.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	w := &written{header: http.Header{}, code: http.StatusOK}
	t.handler.ServeHTTP(w, r)
	return &http.Response{StatusCode: w.code, Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r}, nil
}

// written keeps an answer.
type written struct {
	header http.Header
	code   int
	told   bool
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *written) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *written) WriteHeader(code int) {
	if !w.told {
		w.code, w.told = code, true
	}
}

// Write implements http.ResponseWriter.
func (w *written) Write(b []byte) (int, error) {
	w.told = true
	return w.body.Write(b)
}
