package peers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"sallyport/cmd/sallyport/secretfile"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/web"
)

const serverVariable = "SALLYPORT_PEERS_SERVER"

// serverJob configures a server process: this test binary, started again. It is what the
// command assembles, but the cost of a password hash may be below what settings allow, and
// one address may do as much as it likes.
type serverJob struct {
	Addr, Database, DSN, KeyFile string
	Memory, Time                 uint32 // of argon2id
	Users                        int
}

// runServer serves until it is killed.
func runServer(text string) error {
	var job serverJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	debug.SetGCPercent(200) // as the command does
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := secretfile.Write(job.KeyFile, seal.NewKeyFile(rand.Reader)); err != nil {
		return err
	}
	c := config.Default()
	c.Issuer, c.Environment, c.Listen, c.KeyFile, c.Database.DSN = "http://"+job.Addr, "test", job.Addr, job.KeyFile, job.DSN
	c.SigningAlgs, c.Limits = []string{"ES256", "RS256"}, config.Limits{}
	c.Argon2.Memory, c.Argon2.Time = job.Memory, job.Time
	debug.SetMemoryLimit(server.MemoryLimit(c))
	o, err := server.NewOptions(c, server.NewLog(os.Stderr, c.LogLevel), time.Now, rand.Reader)
	if err != nil {
		return err
	}
	o.Migrate = true
	srv, err := server.Open(ctx, o)
	if err != nil {
		return err
	}
	defer srv.Close()
	if err := seed(ctx, srv, job.Users); err != nil {
		return err
	}
	public, _, err := server.Listen("listen", c.Listen, c.MaxConnections, c.TLS)
	if err != nil {
		return err
	}
	return srv.Serve(ctx, 0, server.Site{Server: web.NewServer(srv.Handler, srv.Log), Listener: public})
}

// seed creates the clients and users.
func seed(ctx context.Context, srv *server.Server, count int) error {
	sum := sha256.Sum256([]byte(clientSecret))
	for _, c := range []storage.Client{
		{ID: clientID, IDTokenAlg: "ES256", MFA: "OFF"},
		{ID: "rsa", IDTokenAlg: "RS256", MFA: "OFF"},
		{ID: "second", IDTokenAlg: "ES256", MFA: "ALWAYS"},
	} {
		c.Name, c.AuthMethod, c.SecretHashes, c.Consent = string(c.ID), "client_secret_basic", [][]byte{sum[:]}, "skip"
		c.GrantTypes, c.ResponseTypes = []string{"authorization_code", "refresh_token", "client_credentials"}, []string{"code"}
		c.Scopes, c.RedirectURIs = []string{"openid", "profile", "email", "offline_access"}, []string{redirectURI}
		if err := srv.Store.PutClient(ctx, c, nil); err != nil {
			return err
		}
	}
	names := userNames(count)
	errs := make([]error, runtime.NumCPU()) // as many as hashes run at the same time
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := w; i < count && errs[w] == nil; i += len(errs) {
				_, errs[w] = srv.Users.Create(ctx, mfa.Caller{}, users.Draft{Username: names[i], Email: names[i] + "@example.com", EmailVerified: true,
					Password: userPassword, TOTPSecret: totpSecret(names[i]), Profile: map[string]any{"name": "Bench " + names[i]}, Status: storage.UserActive})
			}
		})
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), srv.Provider.Poll(ctx))
}
