package relational_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

// TestDumpHoldsNoSecret searches a dump for secrets in every encoding.
func TestDumpHoldsNoSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := keyring(t)
		e := open(t, dsn, k)
		rows, err := k.First(t0)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.AddKeys(t.Context(), rows, true, nil); err != nil {
			t.Fatal(err)
		}
		l := newLogin()
		for _, s := range l.steps(t, e) {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		if err := e.RevokeToken(t.Context(), "the-jti-of-a-token", t0, nil); err != nil {
			t.Fatal(err)
		}
		const polledSecret, pingSecret = "the-auth-req-id-of-a-request", "the-notification-token-of-a-client"
		data := map[string]string{storage.PingCode: polledSecret, storage.PingToken: pingSecret}
		if err := e.CreatePolled(t.Context(), storage.NewPolled{
			Request: storage.PolledRequest{ID: storage.PolledID(storage.Random128(rand.Reader)), GrantType: "ciba", Code: polledSecret, ClientID: "app",
				Details: storage.PolledDetails{Ping: &storage.Ping{Code: polledSecret, Token: pingSecret}}, Interval: time.Second, CreatedAt: t0, ExpiresAt: t0.Add(time.Minute)},
			Messages: []storage.Message{{ID: storage.MessageID(storage.Random128(rand.Reader)), Kind: storage.BackchannelPing, Data: data, CreatedAt: t0, NextAt: t0}},
		}); err != nil {
			t.Fatal(err)
		}
		const signingSecret = "the-secret-that-a-client-signs-with"
		if err := e.PutClient(t.Context(), storage.Client{ID: "signs", AuthMethod: "client_secret_jwt", Secrets: []storage.ClientSecret{signingSecret}}, nil); err != nil {
			t.Fatal(err)
		}
		grant, _ := storage.Bytes(l.grant.ID)
		dump := dumped(t, dsn)
		if !contains(dump, l.email) || !contains(dump, string(l.session.ID)) {
			t.Fatal("the dump does not contain plaintext columns either")
		}
		secrets := map[string]string{
			passwordSecret: "password", totpSecret: "TOTP secret", recoverySecret: "recovery code", hintSecret: "ID token hint",
			stateSecret: "method state", mailSecret: "mailed code", linkSecret: "link", codeSecret: "typed code", dataSecret: "data of a ticket", string(l.request): "request", string(l.track): "track",
			string(l.status.ID): "status", string(l.status.Exchange): "exchange", k.Token("code", grant, 0): "authorization code",
			"the-jti-of-a-token": "token name", signingSecret: "client secret", polledSecret: "auth_req_id", pingSecret: "notification token", l.apiKeySecret: "API key", k.Token("token", grant, 1): "refresh token",
		}
		for _, h := range storagetest.NewIndex(slices.Collect(maps.Keys(secrets))).Search(dump) {
			t.Errorf("%s is in the dump, %s", secrets[h.Secret], h.Spelling)
		}
	})
}

// dumped returns the contents of the database.
func dumped(t *testing.T, dsn string) []byte {
	t.Helper()
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b...)
		}
		return out
	}
	db := direct(t, dsn)
	var out []byte
	for _, table := range column(t, db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") {
		for _, row := range column(t, db, "SELECT CAST(t AS text) FROM "+table+" t") {
			out = append(out, row+"\n"...)
		}
	}
	return out
}

func contains(dump []byte, s string) bool { return bytes.Contains(dump, []byte(s)) }

// TestMovedRowDoesNotOpen: a sealed column moved to another row does not open there.
func TestMovedRowDoesNotOpen(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		var log bytes.Buffer
		k := keyring(t)
		open(t, dsn, k)
		e, err := relational.Open(t.Context(), dsn, k, relational.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		mine, thiefs := newLogin(), newLogin()
		for _, l := range []login{mine, thiefs} {
			for _, s := range l.steps(t, e)[:10] {
				if err := s.do(); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
			}
			if err := e.CreateTicket(t.Context(), storage.NewTicket{Ticket: l.ticket}, t0); err != nil {
				t.Fatal(err)
			}
		}
		db := direct(t, dsn)
		t.Run("a TOTP secret", func(t *testing.T) {
			change(t, db, "UPDATE authenticators SET secret = (SELECT secret FROM authenticators WHERE id = '"+string(thiefs.totp)+"') WHERE id = '"+string(mine.totp)+"'")
			a, err := e.Account(t.Context(), mine.user)
			if err != nil {
				t.Fatal(err)
			}
			moved := slices.IndexFunc(a.Authenticators, func(x storage.Authenticator) bool { return x.ID == mine.totp })
			whole := slices.IndexFunc(a.Authenticators, func(x storage.Authenticator) bool { return x.ID == mine.password })
			if x := a.Authenticators[moved]; !x.Broken || x.Secret != nil {
				t.Errorf("the moved secret opened: %+v", x)
			}
			if x := a.Authenticators[whole]; x.Broken || string(x.Secret) != passwordSecret {
				t.Errorf("the secret beside it did not open: %+v", x)
			}
			if line := log.String(); !strings.Contains(line, string(mine.totp)) || !strings.Contains(line, `"ERROR"`) {
				t.Errorf("no log line: %q", line)
			}
		})
		t.Run("the secrets of a client", func(t *testing.T) {
			for _, id := range []storage.ClientID{"moved to", "moved from"} {
				c := storage.Client{ID: id, AuthMethod: "client_secret_jwt", SecretHashes: [][]byte{{1}}, Secrets: []storage.ClientSecret{"a secret"}, UpdatedAt: t0}
				if err := e.PutClient(t.Context(), c, nil); err != nil {
					t.Fatal(err)
				}
			}
			change(t, db, "UPDATE clients SET secrets = (SELECT secrets FROM clients WHERE id = 'moved from') WHERE id = 'moved to'")
			all, err := e.ListClients(t.Context())
			if err != nil {
				t.Fatalf("one row keeps all clients from being read: %v", err)
			}
			for _, c := range all {
				if moved := c.ID == "moved to"; c.Broken != moved || (len(c.Secrets) == 0) != moved {
					t.Errorf("%q: broken %v, with %d secrets", c.ID, c.Broken, len(c.Secrets))
				}
			}
			if !strings.Contains(log.String(), `"moved to"`) {
				t.Errorf("no log line: %q", log.String())
			}
			if err := e.DeleteClient(t.Context(), "moved to", nil); err != nil {
				t.Errorf("the client cannot be deleted: %v", err)
			}
		})
		for _, c := range []struct {
			name, statement string
			read            func() error
		}{
			{"a recovery code", "UPDATE recovery_codes SET sealed = (SELECT sealed FROM recovery_codes WHERE user_id = '" + string(thiefs.user) + "') WHERE user_id = '" + string(mine.user) + "'",
				func() error { _, err := e.RecoveryCodes(t.Context(), mine.user); return err }},
			{"a message", "UPDATE outbox SET sealed = (SELECT sealed FROM outbox WHERE id = '" + string(thiefs.message.ID) + "') WHERE id = '" + string(mine.message.ID) + "'",
				func() error {
					all, err := e.ListMessages(t.Context(), storage.MessageFilter{Now: t0, Limit: 10})
					if err != nil || len(all) != 2 {
						return err
					}
					for _, m := range all {
						if m.Broken != (m.ID == mine.message.ID) || m.Broken != (m.Values == nil) {
							return nil
						}
					}
					return seal.ErrTampered
				}},
			{"a ticket", "UPDATE tickets SET sealed = (SELECT sealed FROM tickets WHERE user_id = '" + string(thiefs.user) + "') WHERE user_id = '" + string(mine.user) + "'",
				func() error { _, err := e.TicketByLink(t.Context(), mine.ticket.Purpose, mine.ticket.Link); return err }},
			{"a request", "UPDATE auth_requests SET params = (SELECT params FROM auth_requests WHERE subject = '" + string(thiefs.user) + "') WHERE subject = '" + string(mine.user) + "'",
				func() error { _, _, err := e.Request(t.Context(), mine.request, "", t0); return err }},
			{"a status", "UPDATE statuses SET sealed = (SELECT sealed FROM statuses WHERE user_id = '" + string(thiefs.user) + "' AND state = 'initiated') WHERE user_id = '" + string(mine.user) + "'",
				func() error { _, err := e.Status(t.Context(), mine.status.ID, t0); return err }},
		} {
			t.Run(c.name, func(t *testing.T) {
				change(t, db, c.statement)
				if err := c.read(); !errors.Is(err, seal.ErrTampered) {
					t.Errorf("got %v, want %v", err, seal.ErrTampered)
				}
			})
		}
	})
}

// TestKeyRotation: columns written before a rotation open and are found after it.
func TestKeyRotation(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		keks, err := seal.ParseKEKs(seal.NewKeyFile(rand.Reader))
		if err != nil {
			t.Fatal(err)
		}
		k := seal.New(keks, rand.Reader)
		old, err := k.First(t0)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Load(old, t0); err != nil {
			t.Fatal(err)
		}
		e := open(t, dsn, k)
		l := newLogin()
		steps := l.steps(t, e)
		for _, s := range steps[:6] {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		fresh, err := k.First(t0.Add(1))
		if err != nil {
			t.Fatal(err)
		}
		for i := range fresh {
			fresh[i].ActiveAt = t0.Add(1000)
		}
		if err := k.Load(append(old, fresh...), t0.Add(1000)); err != nil {
			t.Fatal(err)
		}
		for _, s := range steps[6:] {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		a, err := e.Account(t.Context(), l.user)
		if err != nil || slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool { return x.Broken }) {
			t.Errorf("got %+v, %v", a, err)
		}
		if codes, err := e.RecoveryCodes(t.Context(), l.user); err != nil || len(codes) != 1 {
			t.Errorf("got %v, %v", codes, err)
		}
	})
}
