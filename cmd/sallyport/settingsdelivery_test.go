package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa/delivery/hook"
	"sallyport/mfa/delivery/smtptest"
	"sallyport/storage"
)

// delivery are the rows of sending messages.
func (o *trialSource) delivery(t *testing.T) map[string]effect {
	secure := smtptest.New(t, smtptest.Options{})
	guarded := smtptest.New(t, smtptest.Options{Username: "harbour", Password: "quiet dawn"})
	plain := smtptest.New(t, smtptest.Options{Plain: true})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	const from = "no-reply@harbour.example"
	to := func(s *smtptest.Server) set {
		return set{"MAIL_HOST": s.Host, "MAIL_PORT": strconv.Itoa(s.Port), "MAIL_CA_FILE": ca, "MAIL_FROM": from}
	}
	but := func(s set, without string) set {
		delete(s, without)
		return s
	}
	password := secretFile(t, "quiet dawn\n")
	signed, another := strings.Repeat("a secret", 4), strings.Repeat("another secret", 3)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if r.Header.Get("webhook-signature") != hook.Sign([][]byte{[]byte(another)}, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(receiver.Close)
	posted := func(secret, kinds string) set {
		return set{"HOOK_URL": receiver.URL, "HOOK_SECRET_FILE": secretFile(t, secret), "HOOK_KINDS": kinds}
	}
	file := filepath.Join(t.TempDir(), "outbox.jsonl")
	return map[string]effect{
		"mail.host":          {value: secure.Host, also: but(to(secure), "MAIL_HOST"), want: "delivered", show: sent},
		"mail.port":          {value: strconv.Itoa(secure.Port), with: but(to(secure), "MAIL_PORT"), want: "delivered", show: sent},
		"mail.tls":           {value: "none", with: but(to(plain), "MAIL_CA_FILE"), want: "delivered", show: sent},
		"mail.ca_file":       {value: ca, with: but(to(secure), "MAIL_CA_FILE"), want: "delivered", show: sent},
		"mail.username":      {value: "harbour", with: to(guarded), also: set{"MAIL_PASSWORD_FILE": password}, want: "delivered", show: sent},
		"mail.password_file": {value: password, with: to(guarded), also: set{"MAIL_USERNAME": "harbour"}, want: "delivered", show: sent},
		"mail.from": {value: "Other <other@harbour.example>", with: to(secure), want: "other@harbour.example", show: func(s *trial) string {
			before := len(secure.Mails())
			sent(s)
			return fmt.Sprint(secure.Mails()[before:])
		}},
		"hook.url":         {value: receiver.URL, also: but(posted(another, "mail"), "HOOK_URL"), want: "delivered", show: sent},
		"hook.secret_file": {value: secretFile(t, another), with: posted(signed, "mail"), want: "delivered", show: sent},
		"hook.kinds":       {value: "mail", with: but(posted(another, ""), "HOOK_KINDS"), want: "delivered", show: sent},
		"outbox_file": {value: file, want: `"template":"factor_enrolled"`, show: func(s *trial) string {
			sent(s)
			text, err := os.ReadFile(file)
			return fmt.Sprintf("%s %v", text, err)
		}},
		"lifetimes.password_reset": {value: "0s", with: map[string]string{"OUTBOX_FILE": file}, want: "404", show: func(s *trial) string {
			return fmt.Sprint(s.open().send("GET", "/forgot", "", "").Code)
		}},
		"outbox_file, serving": {value: file + "2", want: `"template":"factor_enrolled"`, show: func(s *trial) string {
			s.open().enroll(0)
			if !s.Deliveries.Sends("sms") {
				return "nothing is sent"
			}
			s.serveWhile(func() {
				for m := s.newest(); m.DeliveredAt.IsZero(); m = s.newest() {
				}
			})
			text, err := os.ReadFile(file + "2")
			return fmt.Sprintf("%s %v", text, err)
		}},
	}
}

// The files that sending needs are checked before a server starts, and a secret that does not
// fit is not shown.
func TestFilesOfDeliveryAreChecked(t *testing.T) {
	o := newFixture(t)
	o.secrets = []string{"geheim"}
	settings, err := os.ReadFile(o.settings)
	if err != nil {
		t.Fatal(err)
	}
	open := o.file("open", "geheim")
	if err := os.Chmod(open, 0o604); err != nil {
		t.Fatal(err)
	}
	const mail = "mail: {host: mail.example.com, from: a@example.com, "
	var rows []refused
	for i, tc := range []struct{ text, want string }{
		{mail + "username: u, password_file: " + open + "}\n", "mail.password_file: mode 0604"},
		{mail + "username: u, password_file: " + o.file("empty", "\n") + "}\n", "mail.password_file: want exactly one line"},
		{mail + "username: u, password_file: " + o.file("two", "geheim\ngeheim\n") + "}\n", "mail.password_file: want exactly one line"},
		{mail + "ca_file: /nowhere/ca}\n", "mail.ca_file: open /nowhere/ca"},
		{mail + "ca_file: " + o.file("ca", "geheim") + "}\n", "mail.ca_file: holds no certificate"},
		{"hook: {url: 'https://sms.example.com', secret_file: " + open + "}\n", "hook.secret_file: mode 0604"},
		{"hook: {url: 'https://sms.example.com', secret_file: " + o.file("brief", "geheim") + "}\n", "hook.secret_file: a secret is shorter"},
		{"hook: {url: 'https://sms.example.com', secret_file: " + o.file("letters", "whsec_geheim!") + "}\n", "hook.secret_file: what follows whsec_"},
		{"outbox_file: /nowhere/outbox\n", "outbox_file: is not in a folder"},
	} {
		file := o.file(fmt.Sprint("settings", i, ".yaml"), string(settings)+tc.text)
		for _, command := range [][]string{{"config", "check"}, {"serve"}} {
			rows = append(rows, refused{tc.text, "", cli.ExitFailed, tc.want, append(command, "--config", file)})
		}
	}
	o.rejects(rows)
}

// newest returns the newest message.
func (s *trial) newest() storage.Message {
	s.Helper()
	messages, err := s.Store.ListMessages(s.Context(), storage.MessageFilter{Now: s.clock.Now(), Limit: 1})
	if err != nil || len(messages) != 1 {
		s.Fatalf("%v: %d messages", err, len(messages))
	}
	m, err := s.Store.Message(s.Context(), messages[0].ID)
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// sent lets the server send the notice of an enrolment, once, and returns the outcome.
func sent(s *trial) string {
	s.Helper()
	s.open().enroll(0)
	if !s.Deliveries.Sends("mail") {
		return "mail is not sent"
	}
	ctx, stop := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Deliveries.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			s.Error(err)
		}
	}()
	for {
		if m := s.newest(); !m.DeliveredAt.IsZero() {
			return "delivered"
		} else if m.LastError != "" {
			return m.LastError
		}
	}
}
