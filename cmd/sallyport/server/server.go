// Package server assembles a server from settings and runs it: the database, the packages on
// top of it, the handlers of both listeners, and the work in the background.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/cmd/sallyport/keys"
	"sallyport/cmd/sallyport/metrics"
	"sallyport/cmd/sallyport/tracing"
	"sallyport/config"
	"sallyport/mfa/audit"
	"sallyport/mfa/backend"
	"sallyport/mfa/delivery"
	"sallyport/mfa/exchange"
	"sallyport/mfa/invitation"
	"sallyport/mfa/messages"
	"sallyport/mfa/passkey"
	"sallyport/mfa/password"
	"sallyport/mfa/reset"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/session"
	"sallyport/mfa/signup"
	"sallyport/mfa/totp"
	"sallyport/mfa/users"
	"sallyport/provider"
	"sallyport/provider/apikeys"
	"sallyport/provider/clients"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
	"sallyport/web"
)

// Options are what a server is assembled from.
type Options struct {
	Config   config.Config
	DSN      config.Secret
	KEKs     []seal.KEK
	Migrate  bool // bring the schema up first; serve leaves that to its command
	ReadOnly bool // open a database on SQLite without changing a file
	Now      func() time.Time
	Random   io.Reader
	Log      *slog.Logger
	Surfaces []web.Surface // besides those every server has
	// Hangup makes a server that serves read its files again; nil: only when they change.
	Hangup <-chan os.Signal
	// Developers shows pages for the developers of clients.
	Developers bool
	// AdminOnly leaves out the public listener: a command calls the admin API in its own process.
	AdminOnly bool

	// Open creates these.
	metrics *prometheus.Registry
	events  *metrics.Events
	tracer  *tracing.Tracer // nil: nothing is traced
}

// Server has every package of a provider, assembled.
type Server struct {
	Store       *relational.Engine
	Keyring     *seal.Keyring
	Keys        *keys.Manager
	Journal     *audit.Journal
	Password    *password.Method
	TOTP        *totp.Method
	Passkey     *passkey.Method // nil: there are no passkeys
	trust       *passkey.Trust  // nil: no passkey counts as a key in hardware
	Verifier    *exchange.Verifier
	Accounts    *selfservice.Accounts
	Users       *users.Registry
	Sessions    *session.Registry
	Backend     *backend.Service
	Messages    *messages.Registry
	Resets      *reset.Resets // nil: no message can be sent, or the setting says no
	Invitations *invitation.Registry
	SignUps     *signup.SignUps
	Clients     *clients.Registry
	APIKeys     *apikeys.Keys
	Provider    *provider.Provider
	Budgets     *web.Budgets
	Deliveries  *delivery.Worker // of messages to users
	Handler     http.Handler     // of the public listener
	Metrics     *prometheus.Registry
	Events      *metrics.Events
	Tracer      *tracing.Tracer // nil: nothing is traced
	Now         func() time.Time
	Log         *slog.Logger
	health      *health
	files       []*file // read again while the server serves
	hangup      <-chan os.Signal
	editable    bool         // users choose their user names
	sweptAt     atomic.Int64 // in seconds
}

// NewOptions returns options with the secrets that the settings name.
func NewOptions(c config.Config, log *slog.Logger, now func() time.Time, random io.Reader) (Options, error) {
	dsn, err := c.ReadDSN()
	if err != nil {
		return Options{}, err
	}
	keks, err := seal.ReadKeyFile(c.KeyFile)
	if err != nil {
		return Options{}, fmt.Errorf("key_file: %w", err)
	}
	return Options{Config: c, DSN: dsn, KEKs: keks, Log: log, Now: now, Random: random}, nil
}

// Open opens the database and assembles a server over it. A failure leaves the database as it
// was.
func Open(ctx context.Context, p Options) (*Server, error) {
	p.metrics = prometheus.NewRegistry()
	p.events = metrics.NewEvents(metrics.NewSet(p.metrics))
	if p.Config.Tracing.Endpoint != "" {
		var err error
		p.tracer, err = tracing.New(ctx, tracing.Options{Settings: p.Config.Tracing, Environment: p.Config.Environment,
			SQLite: strings.HasPrefix(p.DSN.Reveal(), "sqlite:"), Now: p.Now, Random: p.Random, Log: p.Log})
		if err != nil {
			return nil, err
		}
		p.Log = slog.New(tracing.LogHandler{Handler: p.Log.Handler()})
	}
	p.ReadOnly = true
	engine, keyring, err := OpenEngine(ctx, p)
	if err != nil {
		return nil, errors.Join(err, p.tracer.Close())
	}
	s, err := newServer(ctx, p, engine, keyring)
	if err != nil {
		return nil, errors.Join(err, engine.Close(), p.tracer.Close())
	}
	return s, nil
}

// OpenKeys opens the database and its keys, and assembles nothing over them: for commands
// that work on keys.
func OpenKeys(ctx context.Context, p Options) (*Server, error) {
	p.ReadOnly = true
	engine, keyring, err := OpenEngine(ctx, p)
	if err != nil {
		return nil, err
	}
	s, err := newBase(ctx, p, engine, keyring)
	if err == nil {
		err = s.Keys.Load(ctx)
	}
	if err == nil {
		err = engine.Writable(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return s, nil
}

// newServer checks everything that may refuse the start before it writes: to the schema, and
// the keys that are missing.
func newServer(ctx context.Context, p Options, engine *relational.Engine, keyring *seal.Keyring) (*Server, error) {
	s, err := newBase(ctx, p, engine, keyring)
	if err != nil {
		return nil, err
	}
	if schema := engine.CheckSchema(ctx); schema == nil {
		err = s.Keys.Load(ctx)
	}
	if err != nil && !errors.Is(err, keys.ErrNone) {
		return nil, err
	}
	if err := s.assemble(p); err != nil {
		return nil, err
	}
	if err := engine.Writable(ctx); err != nil {
		return nil, err
	}
	if p.Migrate {
		if err := engine.Migrate(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.Keys.Prepare(ctx, p.Config.SigningAlgs); err != nil {
		return nil, err
	}
	return s, s.Provider.Poll(ctx)
}

// newBase returns a server with its store, journal and empty keyring, if the database has
// the schema, or is to get it, and the time.
func newBase(ctx context.Context, p Options, engine *relational.Engine, keyring *seal.Keyring) (*Server, error) {
	s := &Server{Store: engine, Keyring: keyring, Now: p.Now, Log: p.Log, Metrics: p.metrics, Events: p.events, Tracer: p.tracer, hangup: p.Hangup, editable: p.Config.Usernames.Editable}
	s.addKeyFile(p.Config.KeyFile)
	s.sweptAt.Store(p.Now().Unix())
	s.health = &health{store: engine, now: p.Now}
	if !p.Migrate {
		if err := CheckSchema(ctx, engine); err != nil {
			return nil, err
		}
	}
	s.Budgets = web.NewBudgets(p.Now, time.Minute, budgets(p.Config.Limits))
	s.Journal = audit.NewJournal(engine, p.Now, p.Random, p.Log, s.Budgets.Admit)
	methods, err := s.methods(p)
	if err != nil {
		return nil, err
	}
	s.Keys = &keys.Manager{Store: engine, Keyring: keyring, Journal: s.Journal, Methods: methods, Now: p.Now, Log: p.Log,
		RotateAfter: p.Config.Keys.RotateAfter, RotateOwnAfter: p.Config.Keys.RotateOwnAfter, MaxSkew: skewServing}
	skew, err := s.health.skew(ctx)
	if err != nil {
		return nil, err
	}
	if skew > skewAtStart {
		return nil, fmt.Errorf("the clock differs from the database's by %s, %s at most is allowed", skew.Round(time.Millisecond), skewAtStart)
	}
	return s, nil
}

// Close sends the last traces and closes the database.
func (s *Server) Close() {
	if err := s.Tracer.Close(); err != nil {
		s.Log.Warn("tracing", "error", err)
	}
	if err := s.Store.Close(); err != nil {
		s.Log.Error("close database", "error", err)
	}
}
