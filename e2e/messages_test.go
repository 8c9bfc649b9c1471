package e2e

import (
	"cmp"
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

// runWithMessages runs a file of browser tests on a server whose messages go to an endpoint of the
// test, with further settings in its environment.
func runWithMessages(t *testing.T, file string, withTOTP, without int, env ...string) {
	t.Helper()
	t.Parallel()
	s := setStage(t, "sqlite")
	s.messages = newProvider(t, s)
	s.env = append(s.env, env...)
	s.serve(t)
	runBrowser(t, s, file, withTOTP, without)
}

func TestCodesInChromium(t *testing.T) { runWithMessages(t, "sent.test.mjs", 0, 9) }

func TestAddressesInChromium(t *testing.T) {
	runWithMessages(t, "addresses.test.mjs", 0, 8, "SALLYPORT_USERNAMES_EDITABLE=true")
}

func TestRememberedDevicesInChromium(t *testing.T) {
	runWithMessages(t, "remembered.test.mjs", 12, 0)
}

func TestLostPhonesInChromium(t *testing.T) {
	runWithMessages(t, "lost.test.mjs", 8, 0, "SALLYPORT_SUPPORT_URL=https://help.example.com/lost")
}

// provider takes the messages of a server, and refuses those to some recipients.
type provider struct {
	mu      sync.Mutex
	codes   map[string][]string // by recipient, oldest first
	links   map[string][]string
	texts   map[string][]string
	refused map[string]bool
}

// newProvider makes a stage send its messages to a provider, and returns its URL: /codes?to=
// shows the codes to a recipient, /links?to= the links, or what the link to the account page has, /texts?to= the messages, POST /refuse?to= refuses the
// following ones. POST /one-factor?user= lets a user sign in with one factor, POST /command runs the command of the fields arg, as an administrator does.
func newProvider(t *testing.T, s *stage) string {
	t.Helper()
	p := &provider{codes: map[string][]string{}, links: map[string][]string{}, texts: map[string][]string{}, refused: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hook", p.take)
	mux.HandleFunc("POST /refuse", func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.refused[r.FormValue("to")] = true
	})
	for path, sent := range map[string]map[string][]string{"/codes": p.codes, "/links": p.links, "/texts": p.texts} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			defer p.mu.Unlock()
			_ = json.NewEncoder(w).Encode(append([]string{}, sent[r.FormValue("to")]...))
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
	mux.HandleFunc("POST /command", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		command := exec.Command(program, r.PostForm["arg"]...)
		command.Env = append(os.Environ(), "SALLYPORT_CONFIG="+s.config)
		out, err := command.CombinedOutput()
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(out)
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
			Recipient, Text string
			Values          struct{ Code, Link, Undo string }
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
	p.texts[m.Data.Recipient] = append(p.texts[m.Data.Recipient], m.Data.Text)
	if link := cmp.Or(m.Data.Values.Link, m.Data.Values.Undo); link != "" {
		p.links[m.Data.Recipient] = append(p.links[m.Data.Recipient], link)
	}
	if m.Data.Values.Code != "" {
		p.codes[m.Data.Recipient] = append(p.codes[m.Data.Recipient], m.Data.Values.Code)
	}
}
