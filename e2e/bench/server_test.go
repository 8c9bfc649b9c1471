package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/exchange"
	"sallyport/mfa/password"
	"sallyport/mfa/recovery"
	"sallyport/mfa/session"
	"sallyport/mfa/totp"
	"sallyport/mfa/users"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
	"sallyport/web"
	"sallyport/web/login"
	"sallyport/web/oidc"
	"sallyport/web/page"
)

// serverJob configures the server process: this test binary, started again. It is built
// like the command's, but with a configurable cost of password hashes.
type serverJob struct {
	DSN    string
	Addr   string
	Alg    string // of ID and access tokens
	Memory uint32 // KiB of argon2id
	Time   uint32
	Users  int
	Quiet  bool // no background tasks, so that statements can be counted
}

const (
	benchPassword = "correct horse battery staple"
	benchSecret   = "a-client-secret-of-the-benchmark-with-length"
	benchRedirect = "http://127.0.0.1:9/callback"
)

// runServer serves until it is killed. It prints one line when it is ready.
func runServer(text string) error {
	var job serverJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	debug.SetGCPercent(200) // as the command does
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	issuer := "http://" + job.Addr
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	keks, err := seal.ParseKEKs(seal.NewKeyFile(rand.Reader))
	if err != nil {
		return err
	}
	keyring := seal.New(keks, rand.Reader)
	engine, err := relational.Open(ctx, job.DSN, keyring, relational.Options{MaxConns: 20, Logger: log})
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.Migrate(ctx); err != nil {
		return err
	}
	keys, err := keyring.First(time.Now(), job.Alg)
	if err != nil {
		return err
	}
	if err := engine.AddKeys(ctx, keys, true, nil); err != nil {
		return err
	}
	if err := keyring.Load(keys, time.Now()); err != nil {
		return err
	}
	journal := audit.NewJournal(engine, time.Now, rand.Reader, log, nil)
	password := password.New(keyring, time.Now, rand.Reader, password.Options{Memory: job.Memory, Time: job.Time, Threads: 1,
		Parallel: runtime.NumCPU()})
	totp := totp.New(rand.Reader, "Sallyport", totp.Options{})
	verifier := exchange.NewVerifier(engine, keyring, journal, time.Now, rand.Reader, exchange.Options{Product: "Sallyport", MaxAttempts: 5,
		MaxInitiations: 20, RecoveryCodes: 10, ExchangeTTL: 5 * time.Minute, EnrollTTL: 10 * time.Minute, VerifiedTTL: 5 * time.Minute,
		Reauth: 15 * time.Minute, AddressMax: 1 << 20, AddressMaxSubjects: 1 << 20, AddressWindow: 10 * time.Minute}, password, totp, recovery.New(engine, rand.Reader))
	sessions := session.New(engine, keyring, journal, time.Now, rand.Reader, session.Options{Idle: 30 * time.Minute, Max: 12 * time.Hour})
	idp, err := provider.New(engine, keyring, verifier, sessions, journal, time.Now, rand.Reader, provider.Options{Issuer: issuer, Environment: "test",
		SigningAlg: job.Alg, RequestTTL: 30 * time.Minute, CodeTTL: time.Minute, AccessTokenTTL: 10 * time.Minute, IDTokenTTL: 10 * time.Minute,
		RefreshIdleTTL: 720 * time.Hour, RefreshTTL: 2160 * time.Hour, Logger: log})
	if err != nil {
		return err
	}
	if err := seed(ctx, engine, users.New(engine, keyring, password, totp, journal, time.Now, rand.Reader), job); err != nil {
		return err
	}
	look, err := page.New(keyring, page.Options{Issuer: issuer, Product: "Sallyport", Logger: log}, login.Files())
	if err != nil {
		return err
	}
	stats := statsPage{engine}
	handler, err := web.New(web.Options{Issuer: issuer, Logger: log}, rand.Reader, time.Now, look,
		login.New(idp, verifier, sessions, look), oidc.New(idp, oidc.Options{}))
	if err != nil {
		return err
	}
	if !job.Quiet {
		for _, run := range []func(context.Context) error{journal.Run, sessions.Run, idp.Run} {
			go func() { _ = run(ctx) }()
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/bench/stats", stats)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/allocs", pprof.Handler("allocs").ServeHTTP)
	mux.Handle("/", handler)
	listener, err := net.Listen("tcp", job.Addr) // profiles: http://ADDR/debug/pprof/profile?seconds=5
	if err != nil {
		return err
	}
	fmt.Println("ready")
	server := &http.Server{Handler: mux}
	go func() { <-ctx.Done(); _ = server.Close() }()
	_ = server.Serve(listener)
	return nil
}

// seed creates the client of each kind and the users bench0000, bench0001, ...
func seed(ctx context.Context, engine *relational.Engine, people *users.Registry, job serverJob) error {
	sum := sha256.Sum256([]byte(benchSecret))
	base := storage.Client{AuthMethod: "client_secret_basic", SecretHashes: [][]byte{sum[:]}, GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		ResponseTypes: []string{"code"}, Scopes: []string{"openid", "profile", "email", "offline_access"}, RedirectURIs: []string{benchRedirect},
		IDTokenAlg: job.Alg, MFA: "OFF", Consent: "skip"}
	for id, change := range map[storage.ClientID]func(*storage.Client){
		"plain":  func(*storage.Client) {},
		"second": func(c *storage.Client) { c.MFA = "ALWAYS" },
		"opaque": func(c *storage.Client) { c.AccessTokenFormat = "opaque" },
	} {
		c := base
		c.ID, c.Name = id, string(id)
		change(&c)
		if err := engine.PutClient(ctx, c, nil); err != nil {
			return err
		}
	}
	errs := make(chan error, connections)
	for w := range connections {
		go func() {
			for i := w; i < job.Users; i += connections {
				name := fmt.Sprintf("bench%04d", i)
				if _, err := people.Create(ctx, mfa.Caller{}, users.Draft{Username: name, Email: name + "@example.com", EmailVerified: true, Password: benchPassword,
					TOTPSecret: benchTOTP(i), Profile: map[string]any{"name": "Bench " + name}, Status: storage.UserActive}); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var all []error
	for range connections {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// statsPage returns the usage of the process.
type statsPage struct{ engine *relational.Engine }

type usage struct {
	Statements, Commits int64
	CPU                 time.Duration // user and system time of the server
	RSS                 int64         // bytes
}

func (s statsPage) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	u := usage{Statements: s.engine.Stats().Statements, Commits: s.engine.Stats().Commits,
		CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano())}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, resident int64
		_, _ = fmt.Sscan(string(text), &size, &resident)
		u.RSS = resident * int64(os.Getpagesize())
	}
	_ = json.NewEncoder(w).Encode(u)
}
