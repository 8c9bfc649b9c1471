package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/web"
)

// serverJob configures the server process: this test binary, started again. It is the
// command's assembly, with its settings file, log, limits and timeouts.
type serverJob struct {
	Settings string // file
	Usage    string // address of usagePage and profiles
	// Memory (KiB) and Time replace the cost of a password hash once the settings have been
	// checked: they have lower bounds, which no setting can go below.
	Memory, Time uint32
	Users        int
	Hello        string // address; then the process only serves a word there
	Quiet        bool   // no background tasks, so that statements can be counted
	Admin        string // address of the admin API, whose key is benchSecret; "": none
}

const (
	benchPassword = "correct horse battery staple"
	benchSecret   = "a-client-secret-of-the-benchmark-with-length"
	benchRedirect = "http://127.0.0.1:9/callback"
)

// runServer serves until SIGTERM. It prints one line when it is ready.
func runServer(text string) error {
	var job serverJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	debug.SetGCPercent(200) // as main does
	if job.Hello != "" {
		return serveHello(job.Hello)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := config.Load(job.Settings, nil)
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(server.MemoryLimit(c))
	if job.Memory > 0 {
		c.Argon2.Memory, c.Argon2.Time = job.Memory, job.Time
	}
	o, err := server.NewOptions(c, server.NewLog(os.Stderr, c.LogLevel), time.Now, rand.Reader)
	if err != nil {
		return err
	}
	o.Migrate = true
	public, _, err := server.Listen("listen", c.Listen, c.MaxConnections, c.TLS)
	if err != nil {
		return err
	}
	srv, err := server.Open(ctx, o)
	if err != nil {
		return err
	}
	defer srv.Close()
	if err := seed(ctx, srv, job.Users); err != nil {
		return err
	}
	if err := serveUsage(job.Usage, srv.Store); err != nil {
		return err
	}
	if err := serveAdmin(job.Admin, srv, c.Issuer); err != nil {
		return err
	}
	debug.FreeOSMemory() // what only seeding took
	fmt.Println("ready")
	site := web.NewServer(srv.Handler, srv.Log)
	if job.Quiet {
		return web.Serve(ctx, site, public, web.Stop{})
	}
	return srv.Serve(ctx, 0, server.Site{Server: site, Listener: public})
}

// seed creates the client of each kind and the users bench0000, bench0001, ...
func seed(ctx context.Context, srv *server.Server, count int) error {
	sum := sha256.Sum256([]byte(benchSecret))
	base := storage.Client{AuthMethod: "client_secret_basic", SecretHashes: [][]byte{sum[:]}, GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		ResponseTypes: []string{"code"}, Scopes: []string{"openid", "profile", "email", "offline_access"}, RedirectURIs: []string{benchRedirect},
		IDTokenAlg: "ES256", MFA: "OFF", Consent: "skip"}
	for id, change := range map[storage.ClientID]func(*storage.Client){
		"plain":     func(*storage.Client) {},
		"rsa":       func(c *storage.Client) { c.IDTokenAlg = "RS256" },
		"second":    func(c *storage.Client) { c.MFA = "ALWAYS" },
		"remembers": func(c *storage.Client) { c.MFA, c.MFARemember = "ALWAYS", 30*24*3600 },
		"smart":     func(c *storage.Client) { c.MFA = "SMART" },
		"opaque":    func(c *storage.Client) { c.AccessTokenFormat = "opaque" },
	} {
		c := base
		c.ID, c.Name = id, string(id)
		change(&c)
		if err := srv.Store.PutClient(ctx, c, nil); err != nil {
			return err
		}
	}
	same, err := srv.Password.Hash(ctx, mfa.Place{}, benchPassword) // once, since it costs what logins measure
	if err != nil {
		return err
	}
	const workers = 8
	errs := make(chan error, workers)
	for w := range workers {
		go func() {
			for i := w; i < count; i += workers {
				name := userName(i)
				if _, err := srv.Users.Create(ctx, mfa.Caller{}, users.Draft{Username: name, Email: name + "@example.com", EmailVerified: true, PasswordHash: same,
					TOTPSecret: totpSecret(i), Profile: map[string]any{"name": "Bench " + name}, Status: storage.UserActive}); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var all []error
	for range workers {
		all = append(all, <-errs)
	}
	return errors.Join(errors.Join(all...), srv.Provider.Poll(ctx))
}

// serveAdmin serves the admin API, if there is an address for it.
func serveAdmin(address string, srv *server.Server, issuer string) error {
	if address == "" {
		return nil
	}
	handler, err := srv.AdminAPI(benchSecret, issuer, srv.Log, rand.Reader)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, handler) }()
	return nil
}

// serveUsage serves the usage and the profiles of this process, apart from what is measured.
func serveUsage(address string, engine *relational.Engine) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/usage", usagePage{engine})
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	go func() { _ = http.Serve(l, mux) }()
	return nil
}

// usagePage returns the usage of the process.
type usagePage struct{ engine *relational.Engine }

// serverUsage is what a server process has used since its start.
type serverUsage struct {
	Statements, Commits int64
	CPU                 time.Duration // user and system
	Objects, Bytes      uint64        // allocated
	RSS                 int64         // bytes, now
}

func (p usagePage) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	heap := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(heap)
	stats := p.engine.Stats()
	u := serverUsage{Statements: stats.Statements, Commits: stats.Commits, CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()),
		Objects: heap[0].Value.Uint64(), Bytes: heap[1].Value.Uint64()}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, resident int64
		_, _ = fmt.Sscan(string(text), &size, &resident)
		u.RSS = resident * int64(os.Getpagesize())
	}
	_ = json.NewEncoder(w).Encode(u)
}
