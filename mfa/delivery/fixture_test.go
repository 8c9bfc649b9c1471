package delivery_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/delivery"
	"sallyport/mfa/delivery/hook"
	"sallyport/mfa/delivery/smtp"
	"sallyport/mfa/delivery/smtptest"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

const (
	code      = "31415926"
	recipient = "nora@example.com"
	phone     = "+4915112345678"
)

// fixture is an outbox, and workers that send from it.
type fixture struct {
	*testing.T
	*mfatest.Clock
	store    storage.Store
	log      buffer
	mu       sync.Mutex
	results  map[string]int
	happened chan struct{} // a result was counted
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(f *fixture)) {
	t.Run("SQLite", func(t *testing.T) { test(newFixture(t, "")) })
	t.Run("PostgreSQL", func(t *testing.T) { test(newFixture(t, storagetest.Postgres(t))) })
}

func newFixture(t *testing.T, dsn string) *fixture {
	f := &fixture{T: t, Clock: mfatest.NewClock(time.Date(2026, 11, 29, 15, 4, 5, 0, time.UTC)), results: map[string]int{}, happened: make(chan struct{}, 10000)}
	f.store = mfatest.Open(t, mfatest.Options{Now: f.Now, DSN: dsn}).Store
	t.Cleanup(func() {
		for _, secret := range []string{code, recipient, phone} {
			if strings.Contains(f.log.String(), secret) {
				t.Errorf("the log has %s: %s", secret, f.log.String())
			}
		}
		all, err := f.store.ListMessages(context.Background(), storage.MessageFilter{Now: f.Now(), Limit: 1000})
		if err != nil {
			t.Error(err)
		}
		for _, m := range all {
			if strings.Contains(m.LastError, code) || strings.Contains(m.LastError, "@") || strings.Contains(m.LastError, phone) {
				t.Errorf("the last error of a message is %q", m.LastError)
			}
		}
	})
	return f
}

// worker returns a worker, to be run or not.
func (f *fixture) worker(senders map[string]delivery.Sender) *delivery.Worker {
	return f.polling(senders, 5*time.Millisecond)
}

func (f *fixture) polling(senders map[string]delivery.Sender, poll time.Duration) *delivery.Worker {
	f.Helper()
	texts := fstest.MapFS{}
	for _, l := range []string{"en", "de"} {
		texts["messages/"+l+".json"] = &fstest.MapFile{Data: []byte(`{"method.totp.short": "App"}`)}
	}
	r, err := notice.NewRenderer("login.example.com", "https://login.example.com/account", []mfa.Info{{Name: "totp", Texts: texts}})
	f.ok(err)
	return delivery.New(f.store, senders, r, f.Now, rand.Reader, slog.New(slog.NewJSONHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		delivery.Options{Poll: poll, Count: func(kind, result string) {
			f.mu.Lock()
			f.results[kind+" "+result]++
			f.mu.Unlock()
			f.happened <- struct{}{}
		}})
}

// run runs a worker, and returns what stops it and waits for its end.
func (f *fixture) run(senders map[string]delivery.Sender) (stop func()) {
	f.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := f.worker(senders)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.Error(err)
		}
	})
	f.Cleanup(stop)
	return stop
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// post stores a message with a code, as a step does.
func (f *fixture) post(kind string) storage.MessageID {
	f.Helper()
	m := storage.Message{ID: storage.MessageID(storage.TimeOrdered(f.Now(), rand.Reader)), Kind: kind, Recipient: recipient, Template: notice.Code, Locale: "en",
		Data: map[string]string{"code": code, "minutes": "10", "product": "Harbour"}, CreatedAt: f.Now(), NextAt: f.Now(), ExpiresAt: f.Now().Add(10 * time.Minute)}
	if kind == notice.SMS {
		m.Recipient = phone
	}
	f.ok(f.store.Spend(f.Context(), storage.Spend{Now: f.Now(), Messages: []storage.Message{m}}))
	return m.ID
}

// read reads a message.
func (f *fixture) read(id storage.MessageID) storage.Message {
	f.Helper()
	m, err := f.store.Message(f.Context(), id)
	f.ok(err)
	return m
}

// count returns how often a result was counted, such as "mail delivered".
func (f *fixture) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.results[what]
}

// await waits until a result was counted n times.
func (f *fixture) await(what string, n int) {
	f.Helper()
	late := time.After(20 * time.Second)
	for f.count(what) < n {
		select {
		case <-f.happened:
		case <-late:
			f.Fatalf("%d times %q, want %d: %v %s", f.count(what), what, n, f.results, f.log.String())
		}
	}
}

// mail returns a sender to a mail server.
func (f *fixture) mail(s *smtptest.Server) delivery.Sender {
	f.Helper()
	out, err := smtp.New(smtp.Options{Host: s.Host, Port: s.Port, TLS: smtp.StartTLS, CA: s.CA, From: "Harbour <no-reply@harbour.example>"}, f.Now)
	f.ok(err)
	return out
}

// receiver is an HTTP endpoint that counts what it gets.
type receiver struct {
	mu  sync.Mutex
	got map[string]int // by webhook-id
}

func (r *receiver) count(id storage.MessageID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[string(id)]
}

// hook returns a sender to an endpoint, which answers with what respond returns; nil: 204.
func (f *fixture) hook(respond func(n int) int) (*receiver, delivery.Sender) {
	f.Helper()
	got := &receiver{got: map[string]int{}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Data struct{ Text string } }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !strings.Contains(body.Data.Text, code) {
			f.Errorf("%v: the body is %+v", err, body)
		}
		got.mu.Lock()
		got.got[r.Header.Get("webhook-id")]++
		n := got.got[r.Header.Get("webhook-id")]
		got.mu.Unlock()
		status := http.StatusNoContent
		if respond != nil {
			status = respond(n)
		}
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, phone+" "+code)
		}
	}))
	f.Cleanup(server.Close)
	return got, hook.New(hook.Options{URL: server.URL, Secrets: [][]byte{[]byte("0123456789abcdefghijklmnopqrstuv")}, Client: server.Client()}, f.Now)
}

// buffer is a log that may be read meanwhile.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
