package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"sallyport/mfa/delivery/smtptest"
)

// TestSignUpInChromium runs browser/signup.test.mjs: people without an account, a mail server, an
// application that asks for names and terms, and one that demands a second factor.
func TestSignUpInChromium(t *testing.T) {
	t.Parallel()
	runBrowser(t, newcomers(t, "sqlite"), "signup.test.mjs", 0, 1)
}

// TestInvitationsInChromium runs browser/invitation.test.mjs: from an administrator to the
// application.
func TestInvitationsInChromium(t *testing.T) {
	t.Parallel()
	runBrowser(t, newcomers(t, "postgres"), "invitation.test.mjs", 0, 0)
}

// newcomers starts a server with which people can sign up. Its mail goes to a mail server, which
// browser/mailroom.mjs reads.
func newcomers(t *testing.T, engine string) *stage {
	t.Helper()
	s, mail, dir := setStage(t, engine), smtptest.New(t, smtptest.Options{}), t.TempDir()
	authority, state := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "newcomers.yaml")
	writeFile(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: mail.Certificate.Raw})))
	writeFile(t, state, `clients:
  - {client_id: shop, client_name: Lighthouse Shop, public: true, mfa: "OFF", client_uri: "https://shop.example/", redirect_uris: ["`+webRedirect+`/shop"], grant_types: [authorization_code],
     scopes: [openid, profile, email], signup_required: [given_name], signup_optional: [family_name, birthdate, zoneinfo]}
`)
	s.command(t, "apply", "--config", s.config, state)
	s.env = append(s.env, "SALLYPORT_SIGNUP=open", "SALLYPORT_TERMS_URL=https://harbour.example/terms", "SALLYPORT_TERMS_VERSION=2026-01",
		"SALLYPORT_SUPPORT_URL=https://harbour.example/help", "SALLYPORT_TRUSTED_PROXIES=127.0.0.1,::1",
		"SALLYPORT_MAIL_HOST="+mail.Host, "SALLYPORT_MAIL_PORT="+strconv.Itoa(mail.Port), "SALLYPORT_MAIL_CA_FILE="+authority, "SALLYPORT_MAIL_FROM=Harbour <no-reply@harbour.example>")
	s.messages = newMailroom(t, s, mail)
	s.serve(t)
	return s
}

// newMailroom returns the URL at which a browser test reads the mails to an address (GET /mails?to=),
// runs commands (POST /run), and lets every link and code expire (POST /expire).
func newMailroom(t *testing.T, s *stage, mail *smtptest.Server) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mails", func(w http.ResponseWriter, r *http.Request) {
		found := []map[string]string{}
		for _, m := range mail.Mails() {
			if m.To == r.FormValue("to") {
				found = append(found, map[string]string{"text": m.Text})
			}
		}
		_ = json.NewEncoder(w).Encode(found)
	})
	mux.HandleFunc("POST /run", func(w http.ResponseWriter, r *http.Request) {
		var args []string
		var out, fault bytes.Buffer
		err := json.NewDecoder(r.Body).Decode(&args)
		if err == nil {
			c := exec.Command(program, append(args, "--config", s.config)...)
			c.Stdout, c.Stderr = &out, &fault
			err = c.Run()
		}
		if err != nil {
			http.Error(w, err.Error()+"\n"+fault.String(), http.StatusUnprocessableEntity)
			return
		}
		_, _ = w.Write(out.Bytes())
	})
	db := s.behind(t)
	mux.HandleFunc("POST /expire", func(w http.ResponseWriter, r *http.Request) {
		for _, table := range []string{"tickets", "invitations"} {
			if _, err := db.ExecContext(r.Context(), "UPDATE "+table+" SET expires_at = created_at"); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}
