package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// TestCodesInChromium runs browser/sent.test.mjs on a server whose messages go to an endpoint of
// the test.
func TestCodesInChromium(t *testing.T) {
	s := setStage(t, "sqlite")
	s.messages = newProvider(t, s)
	s.serve(t)
	runBrowser(t, s, "sent.test.mjs", 0, 8)
}

// TestAddressesInChromium runs browser/addresses.test.mjs on such a server.
func TestAddressesInChromium(t *testing.T) {
	s := setStage(t, "sqlite")
	s.messages = newProvider(t, s)
	s.serve(t)
	runBrowser(t, s, "addresses.test.mjs", 0, 4)
}

// provider takes the messages of a server, and refuses those to some recipients.
type provider struct {
	mu      sync.Mutex
	codes   map[string][]string // by recipient, oldest first
	undos   map[string][]string // what the links in messages about addresses have, too
	links   map[string][]string
	refused map[string]bool
}

// newProvider makes a stage send its messages to a provider, and returns its URL: /codes?to=
// shows the codes to a recipient, /undos?to= what undoes changes of addresses, /links?to= the links, POST /refuse?to= refuses
// the following ones. POST /one-factor?user= lets a user sign in with one factor, as an administrator does.
func newProvider(t *testing.T, s *stage) string {
	t.Helper()
	p := &provider{codes: map[string][]string{}, undos: map[string][]string{}, links: map[string][]string{}, refused: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hook", p.take)
	mux.HandleFunc("POST /refuse", func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.refused[r.FormValue("to")] = true
	})
	for path, list := range map[string]map[string][]string{"GET /codes": p.codes, "GET /undos": p.undos, "GET /links": p.links} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			defer p.mu.Unlock()
			_ = json.NewEncoder(w).Encode(append([]string{}, list[r.FormValue("to")]...))
		})
	}
	dir := t.TempDir()
	mux.HandleFunc("POST /one-factor", func(w http.ResponseWriter, r *http.Request) {
		state := filepath.Join(dir, "one-factor.yaml")
		err := os.WriteFile(state, fmt.Appendf(nil, "users:\n  - {username: %q, mfa_enabled: false}\n", r.FormValue("user")), 0o600)
		if err == nil {
			err = exec.Command(program, "apply", "--config", s.config, state).Run()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	secret := filepath.Join(t.TempDir(), "hook-secret")
	writeFile(t, secret, random(32))
	s.env = append(s.env, "SALLYPORT_HOOK_URL="+server.URL+"/hook", "SALLYPORT_HOOK_SECRET_FILE="+secret, "SALLYPORT_HOOK_KINDS=sms,mail", "SALLYPORT_SMS_COUNTRIES=*", "SALLYPORT_CODE_FACTORS=email,sms")
	return server.URL
}

func (p *provider) take(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Data struct {
			Recipient string
			Values    struct{ Code, Undo, Link string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused[m.Data.Recipient] {
		http.Error(w, "no such mailbox", http.StatusGone)
		return
	}
	if m.Data.Values.Undo != "" {
		p.undos[m.Data.Recipient] = append(p.undos[m.Data.Recipient], m.Data.Values.Undo)
	}
	if m.Data.Values.Link != "" {
		p.links[m.Data.Recipient] = append(p.links[m.Data.Recipient], m.Data.Values.Link)
	}
	if m.Data.Values.Code != "" {
		p.codes[m.Data.Recipient] = append(p.codes[m.Data.Recipient], m.Data.Values.Code)
	}
}
