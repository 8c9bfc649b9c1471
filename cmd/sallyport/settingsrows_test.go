package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/e2e/collector"
	"sallyport/provider/dpop/dpoptest"
	"sallyport/storage"
	"sallyport/web/admin"
)

type set = map[string]string

// listeners are the rows of listeners, certificates and connections.
func (o *trialSource) listeners(t *testing.T) map[string]effect {
	public, private, open := servertest.FreeAddress(t), servertest.FreeAddress(t), servertest.FreeAddress(t)
	_, port, err := net.SplitHostPort(open)
	if err != nil {
		t.Fatal(err)
	}
	cert, certFile, keyFile := newCertificateFiles(t)
	serial := "over TLS with " + cert.Leaf.SerialNumber.String()
	run(t, "adminkey", filepath.Join(o.dir, "another"))
	key, err := os.ReadFile(filepath.Join(o.dir, "another"))
	if err != nil {
		t.Fatal(err)
	}
	const discovery = "/.well-known/openid-configuration"
	secure := "https://" + o.public
	return map[string]effect{
		"listen":          {value: public, want: "200 OK", show: peek("http://"+public+discovery, "")},
		"admin_listen":    {value: private, want: "200 OK", show: peek("http://"+private+"/readyz", "")},
		"admin_plaintext": {value: "true", with: set{"ADMIN_LISTEN": "0.0.0.0:" + port}, want: "no faults", show: (*trial).check},
		"admin_key_file":  {value: filepath.Join(o.dir, "another"), want: "200 OK", show: peek("http://"+o.admin+admin.Base+"/users", "Bearer "+strings.TrimSpace(string(key)))},
		"admin_tls.cert":  {value: certFile, also: set{"ADMIN_TLS_KEY": keyFile}, want: serial, show: peek("https://"+o.admin+"/readyz", "")},
		"admin_tls.key":   {value: keyFile, also: set{"ADMIN_TLS_CERT": certFile}, want: serial, show: peek("https://"+o.admin+"/readyz", "")},
		"tls.cert":        {value: certFile, also: set{"TLS_KEY": keyFile, "ISSUER": secure}, want: serial, show: peek(secure+discovery, "")},
		"tls.key":         {value: keyFile, also: set{"TLS_CERT": certFile, "ISSUER": secure}, want: serial, show: peek(secure+discovery, "")},
		"trusted_proxies": {value: "10.0.0.0/8", want: "198.51.100.7", show: func(s *trial) string {
			s.open().send("POST", trialAPI+"/password", "application/json", `{"request_id":"`+fmt.Sprint(s.begin("own")["request_id"])+`","identifier":"nora","password":"wrong"}`,
				"X-Forwarded-For", "198.51.100.7")
			return s.auditTrail("")
		}},
		"max_connections": {value: "16", want: "the 17th waits", show: func(s *trial) (out string) {
			s.serveWhile(func() { out = dial17(s, o.public) })
			return out
		}},
		"drain_time": {value: "2s", want: "drained", show: func(s *trial) string {
			if s.serveWhile(func() {}) < 2*time.Second {
				return "stopped"
			}
			return "drained"
		}},
	}
}

// dial17 returns what a 17th connection gets while 16 are open.
func dial17(s *trial, address string) string {
	for range 16 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			s.Fatal(err)
		}
		defer c.Close()
	}
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + address + "/jwks.json")
	if err != nil {
		return "the 17th waits"
	}
	return r.Status + fmt.Sprint(r.Body.Close())
}

// auditTrail returns the events of a kind; "": all.
func (s *trial) auditTrail(kind string) string {
	s.Helper()
	if err := s.Journal.Flush(s.Context()); err != nil {
		s.Fatal(err)
	}
	events, err := s.Store.ListEvents(s.Context(), storage.EventFilter{Kind: kind, Limit: 100})
	if err != nil {
		s.Fatal(err)
	}
	return fmt.Sprintf("%d events: %+v", len(events), events)
}

// files are the rows of files and databases.
func (o *trialSource) files(t *testing.T) map[string]effect {
	dir := t.TempDir()
	run(t, "keyfile", filepath.Join(dir, "keys"))
	templates := filepath.Join(dir, "look")
	if err := os.MkdirAll(filepath.Join(templates, "static"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(templates, "static", "mark.svg"), []byte("<svg/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	countries := filepath.Join(dir, "countries.csv")
	types := filepath.Join(dir, "types.yaml")
	if err := os.WriteFile(types, []byte("types: [{type: payment}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(countries, []byte("192.0.2.0/24,Germany\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := "sqlite:" + filepath.Join(dir, "empty.db")
	return map[string]effect{
		"database.dsn":               {value: empty, want: "sallyport migrate", show: (*trial).fault},
		"database.dsn_file":          {value: secretFile(t, empty), also: set{"DATABASE_DSN": ""}, want: "sallyport migrate", show: (*trial).fault},
		"database.tls":               {value: "encrypted", with: set{"DATABASE_DSN": "postgres://db.example/x?sslmode=require"}, want: "no faults", show: (*trial).check},
		"database.max_connections":   {value: "7", want: "database_connections_limit 7", show: scrape},
		"key_file":                   {value: filepath.Join(dir, "keys"), want: "key-encryption key", show: (*trial).fault},
		"country_file":               {value: countries, want: "country_file: line 1", show: (*trial).fault},
		"authorization_details_file": {value: types, want: "authorization_details_file: " + types + ":1: types[0].title: needs a text in en", show: (*trial).fault},
		"support_url": {value: "mailto:help@example.com", want: `href="mailto:help@example.com"`, show: func(s *trial) string {
			return s.open().send("GET", "/authorize", "", "", "Accept", "text/html").Body.String()
		}},
		"template_dir": {value: templates, want: "<svg/>", show: func(s *trial) string {
			page := s.open().send("GET", "/authorize", "", "", "Accept", "text/html").Body.String()
			_, rest, _ := strings.Cut(page, "/static/")
			version, _, _ := strings.Cut(rest, "/")
			return s.send("GET", "/static/"+version+"/mark.svg", "", "").Body.String()
		}},
	}
}

// names are the rows of names, algorithms, the log and the rotation of keys.
func (o *trialSource) names() map[string]effect {
	discovery := body("/.well-known/openid-configuration")
	return map[string]effect{
		"issuer": {value: "http://localhost:9", want: `"issuer":"http://localhost:9"`, show: discovery},
		"issuer, account": {value: "http://localhost:9", want: "localhost%3A9", show: func(s *trial) string {
			to, page := s.open().account()
			if !strings.Contains(page, `id="login-submit"`) {
				return page
			}
			return to
		}},
		"environment": {value: "live", want: "active:false", show: func(s *trial) string {
			return fmt.Sprint(s.open().Post("/introspect", map[string][]string{"token": {fmt.Sprint(o.opaque)}}))
		}},
		"environment, API keys": {value: "live", want: "_live_", show: func(s *trial) string {
			file := filepath.Join(s.TempDir(), "key")
			if code := s.program().Main(s.Context(), commands(), []string{"apikey", "create", "--name", "x", "--dialect", "admin", "--verb", "read", "--out", file}); code != cli.ExitOK {
				s.Fatal(s.log.String())
			}
			text, err := os.ReadFile(file)
			if err != nil {
				s.Fatal(err)
			}
			return string(text)
		}},
		"product, pages":   {value: "Harbour", want: "Harbour", show: body("/authorize")},
		"product, dialect": {value: "Harbour", want: "Harbour", show: body("/public-srv/tenantinfo/basic")},
		"product, authenticator apps": {value: "Harbour", want: "issuer=Harbour", show: func(s *trial) string {
			return fmt.Sprint(s.call(s.open().signIn("strict", "nora"), "/enroll", "method", "totp"))
		}},
		"product, messages": {value: "Harbour", want: "product:Harbour", show: func(s *trial) string {
			s.open().enroll(0)
			list, err := s.Store.ListMessages(s.Context(), storage.MessageFilter{Limit: 1})
			if err != nil || len(list) == 0 {
				s.Fatalf("messages = %v, %v", list, err)
			}
			message, err := s.Store.Message(s.Context(), list[0].ID)
			return fmt.Sprint(message, err)
		}},
		"product, account": {value: "Harbour", want: "to Harbour", show: func(s *trial) string {
			_, page := s.open().account()
			return page
		}},
		"product, passwords":    {value: "Harbour Lighthouse", want: "common", show: func(s *trial) string { return s.setPassword("harbour lighthouse") }},
		"signing_algs":          {value: "EdDSA", want: `"EdDSA"`, show: body("/jwks.json")},
		"signing_algs, default": {value: "ES256,RS256", want: "ES256", show: func(s *trial) string { return fmt.Sprint(s.open().jwtPart(s.redeem(0)["id_token"], 0)) }},
		"acr_aliases":           {value: "gold=aal2", want: `"gold"`, show: discovery},
		"legacy_response_types": {value: "true", want: `id_token token`, show: discovery},
		"require_dpop_nonce": {value: "true", want: "use_dpop_nonce", show: func(s *trial) string {
			return s.open().send("POST", "/token", "application/x-www-form-urlencoded", "grant_type=client_credentials", "DPoP", dpoptest.NewKey(s.T).Proof("POST", "http://"+o.public+"/token", "", s.clock.Now())).Body.String()
		}},
		"require_pushed_authorization_requests":           {value: "true", want: `"require_pushed_authorization_requests":true`, show: discovery},
		"require_pushed_authorization_requests, requests": {value: "true", want: "request_uri", show: body("/authorize?client_id=own")},
		"log_level": {value: "error", want: "0 lines", show: func(s *trial) string {
			s.open().call(s.begin("own"), "/password", "identifier", "nora", "password", "wrong")
			return fmt.Sprintf("%d lines", strings.Count(s.log.String(), "\n"))
		}},
		"audit.keep": {value: "720h", want: "0 events", show: func(s *trial) string {
			s.open().clock.Move(31 * day)
			if _, err := s.Store.Sweep(s.Context(), s.clock.Now(), 1000); err != nil {
				s.Fatal(err)
			}
			return s.auditTrail("")
		}},
		"keys.rotate_after":     {value: "48h", want: "oidc:4", show: keysAfter(3 * day)},
		"keys.rotate_own_after": {value: "48h", want: "data:2", show: keysAfter(3 * day)},
	}
}

// keysAfter counts the keys by use after a time, once keys that are due are rotated.
func keysAfter(d time.Duration) func(s *trial) string {
	return func(s *trial) string {
		s.open().clock.Move(d)
		if err := s.Keys.RotateDue(s.Context()); err != nil {
			s.Fatal(err)
		}
		rows, err := s.Store.Keys(s.Context(), time.Time{})
		if err != nil {
			s.Fatal(err)
		}
		n := map[string]int{}
		for _, k := range rows {
			n[k.Use]++
		}
		return fmt.Sprint(n)
	}
}

// tracing are the rows of tracing.
func (o *trialSource) tracing(t *testing.T) map[string]effect {
	to := collector.New(t)
	arrived := func(s *trial) string {
		before := len(to.Spans())
		s.open().send("GET", "/jwks.json", "", "")
		if err := s.Tracer.Close(); err != nil {
			s.Fatal(err)
		}
		header, resource := to.Last()
		return fmt.Sprintf("%d spans, %v, %v", len(to.Spans())-before, header, resource)
	}
	with := set{"TRACING_ENDPOINT": to.URL}
	return map[string]effect{
		"tracing.endpoint":     {value: to.URL, want: "1 spans", show: arrived},
		"tracing.sample_ratio": {value: "0", with: with, want: "0 spans", show: arrived},
		"tracing.headers_file": {value: secretFile(t, "X-Trial: yes\n"), with: with, want: "X-Trial:[yes]", show: arrived},
		"environment, traces":  {value: "live", with: with, want: "name:live", show: arrived},
	}
}
