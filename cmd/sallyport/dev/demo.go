package dev

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"

	"sallyport/cmd/sallyport/server"
	"sallyport/e2e/samples"
	"sallyport/web"
)

//go:embed demo
var demoFiles embed.FS

// demo is the second origin of dev: a single-page application that signs in at the
// provider, the virtual phone, and the outbox.
type demo struct {
	server  *server.Server
	at      place
	secrets secrets
	folder  *folder
	outbox  string // the file of messages
	pages   *template.Template
}

func newDemo(srv *server.Server, at place, s secrets, folder *folder) (http.Handler, error) {
	files, err := fs.Sub(demoFiles, "demo")
	if err != nil {
		return nil, fmt.Errorf("demo files: %w", err)
	}
	d := &demo{server: srv, at: at, secrets: s, folder: folder, outbox: folder.path(outboxName)}
	if d.pages, err = template.ParseFS(files, "phone.html", "outbox.html"); err != nil {
		return nil, fmt.Errorf("demo files: %w", err)
	}
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "app.html") }
	mux.HandleFunc("GET /{$}", page)
	mux.HandleFunc("GET /callback", page)
	mux.HandleFunc("GET /config.json", d.config)
	mux.HandleFunc("GET "+rootPath, d.root)
	mux.HandleFunc("GET /phone", d.showPhone)
	mux.HandleFunc("GET /phone.json", d.readPhone)
	mux.HandleFunc("GET /tv", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "tv.html") })
	mux.HandleFunc("GET /tv/qr", d.deviceQR)
	mux.HandleFunc("GET /till", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "till.html") })
	mux.HandleFunc("POST /till/ask", d.askAtTill)
	mux.HandleFunc("POST /till/poll", d.pollAtTill)
	d.outboxRoutes(mux)
	for _, name := range []string{"app.js", "oidc.js", "phone.js", "tv.js", "till.js", "outbox.js", "style.css", "icon.svg"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, name) })
	}
	own, err := fs.Sub(samples.SPA, "spa")
	if err != nil {
		return nil, fmt.Errorf("sample files: %w", err)
	}
	mux.Handle("GET /own-login/", http.StripPrefix("/own-login", http.FileServerFS(own)))
	mux.HandleFunc("GET /own-login/settings.json", d.ownLogin)
	return d.guard(mux), nil
}

// guard refuses requests for another host, because any web page could point its own name at
// this address (DNS rebinding) and read codes and passwords from the phone. It sets the
// headers of every response.
func (d *demo) guard(next http.Handler) http.Handler {
	own, err := url.Parse(d.at.demo())
	if err != nil {
		panic("demo: invalid address: " + err.Error()) // the address is built from a host and a port
	}
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' " + d.at.issuer() +
		"; base-uri 'none'; form-action 'self' " + d.at.issuer() + "; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != own.Host {
			http.Error(w, "This is "+own.Host+" only.", http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Permissions-Policy", web.Features)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// config serves the address of the provider, and the users one can sign in as.
func (d *demo) config(w http.ResponseWriter, _ *http.Request) {
	type person struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		About    string `json:"about"`
	}
	writeJSON(w, map[string]any{
		"issuer":   d.at.issuer(),
		"passkeys": d.at.passkeys(),
		"people": []person{
			{"alice", d.secrets.Alice.Password, "has a second factor"},
			{"bob", d.secrets.Bob.Password, "has a password only"},
		},
	})
}

// rootPath is where a phone gets the certificate that it has to trust.
const rootPath = "/ca.crt"

func (d *demo) root(w http.ResponseWriter, r *http.Request) {
	root := d.folder.authority()
	if root == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-x509-ca-cert")
	_, _ = w.Write(root)
}

// deviceQR draws the address with the code of a device, which its screen shows.
func (d *demo) deviceQR(w http.ResponseWriter, r *http.Request) {
	picture, err := qrPicture(d.at.issuer() + "/device?user_code=" + url.QueryEscape(r.URL.Query().Get("code")))
	if err != nil {
		http.Error(w, "This is no code.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(picture)
}

// ownLogin serves the address of the provider to the sample with its own login screen.
func (d *demo) ownLogin(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{"issuer": d.at.issuer(), "clients": map[string]string{"one": "front", "two": "vault"}})
}

// render writes a page.
func (d *demo) render(w http.ResponseWriter, name string, view any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := d.pages.ExecuteTemplate(w, name, view); err != nil {
		d.server.Log.Warn("page of the demo", "page", name, "error", err)
	}
}

// fail writes that what a page shows cannot be read.
func (d *demo) fail(w http.ResponseWriter, err error) {
	d.server.Log.Error("page of the demo", "error", err)
	http.Error(w, "This page cannot read the server's data now.", http.StatusServiceUnavailable)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the client has gone
	}
}
