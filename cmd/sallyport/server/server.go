// Package server is a server built from settings: the database, the packages on top of it,
// the handlers of both listeners, and the work in the background.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/cmd/sallyport/keys"
	"sallyport/cmd/sallyport/metrics"
	"sallyport/cmd/sallyport/tracing"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/exchange"
	"sallyport/mfa/password"
	"sallyport/mfa/recovery"
	"sallyport/mfa/session"
	"sallyport/mfa/totp"
	"sallyport/mfa/users"
	"sallyport/provider"
	"sallyport/provider/apikeys"
	"sallyport/provider/clients"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
	"sallyport/web"
	"sallyport/web/account"
	"sallyport/web/api"
	"sallyport/web/cidaas"
	"sallyport/web/login"
	"sallyport/web/oidc"
	"sallyport/web/page"
)

// answerTime is what a request may take, a usual wait for a password's turn included:
// a database that does not answer must not keep anybody for more than 3 s.
const answerTime = 2500 * time.Millisecond

// parts is what a house is built from.
type Options struct {
	Config   config.Config
	DSN      config.Secret
	KEKs     []seal.KEK
	Migrate  bool // bring the schema up first; serve leaves that to its command
	Now      func() time.Time
	Random   io.Reader
	Log      *slog.Logger
	Surfaces []web.Surface        // besides those every server has
	metrics  *prometheus.Registry // of what a server counts; build makes it
	events   *metrics.Events      // counts what is written; build makes it
	tracer   *tracing.Tracer      // nil: nothing is traced; build makes it
}

// house is every room, built.
type Server struct {
	Store    *relational.Engine
	Keyring  *seal.Keyring
	Journal  *audit.Journal
	TOTP     *totp.Method
	Users    *users.Registry
	Clients  *clients.Registry
	APIKeys  *apikeys.Keys
	Sessions *session.Registry
	Provider *provider.Provider
	Handler  http.Handler
	health   *health
	Budgets  *web.Budgets
	Verifier *exchange.Verifier
	Now      func() time.Time
	Log      *slog.Logger
	Keys     *keys.Manager
	// For the metrics: what is read there besides the rooms.
	Metrics  *prometheus.Registry
	Events   *metrics.Events
	Tracer   *tracing.Tracer // nil: nothing is traced
	Password *password.Method
	sweptAt  atomic.Int64 // in seconds
}

// build opens the database and builds the rooms on top of each other.
func Open(ctx context.Context, p Options) (*Server, error) {
	p.metrics = prometheus.NewRegistry()
	p.events = metrics.NewEvents(metrics.NewSet(p.metrics))
	if p.Config.Tracing.Endpoint != "" {
		var err error
		if p.tracer, err = tracing.New(ctx, tracerOptions(p)); err != nil {
			return nil, err
		}
		p.Log = slog.New(tracing.LogHandler{Handler: p.Log.Handler()})
	}
	engine, keyring, err := OpenEngine(ctx, p)
	if err != nil {
		return nil, errors.Join(err, p.tracer.Close())
	}
	h, err := newServer(ctx, p, engine, keyring)
	if err != nil {
		return nil, errors.Join(err, engine.Close(), p.tracer.Close())
	}
	return h, nil
}

// openEngine opens the database without caring for its schema. What it seals is sealed
// with the keyring.
func OpenEngine(ctx context.Context, p Options) (*relational.Engine, *seal.Keyring, error) {
	keyring := seal.New(p.KEKs, p.Random)
	o := relational.Options{MaxConns: p.Config.Database.MaxConnections, Logger: p.Log, Now: p.Now, KeepEvents: p.Config.Audit.Keep}
	if p.events != nil {
		o.Written = p.events.Count
	}
	if p.tracer != nil {
		o.Span = p.tracer.Call
	}
	engine, err := relational.Open(ctx, p.DSN.Reveal(), keyring, o)
	if err != nil {
		return nil, nil, fmt.Errorf("open database: %w", err)
	}
	return engine, keyring, nil
}

// withKeys opens the database and the keys in it, without building the rooms above.
func OpenKeys(ctx context.Context, p Options) (*Server, error) {
	engine, keyring, err := OpenEngine(ctx, p)
	if err != nil {
		return nil, err
	}
	h, err := newBase(ctx, p, engine, keyring)
	if err == nil {
		err = h.Keys.Load(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return h, nil
}

func newServer(ctx context.Context, p Options, engine *relational.Engine, keyring *seal.Keyring) (*Server, error) {
	h, err := newBase(ctx, p, engine, keyring)
	if err != nil {
		return nil, err
	}
	if err := h.Keys.Prepare(ctx, p.Config.SigningAlgs); err != nil {
		return nil, h.recordFault(ctx, "keys", err)
	}
	if err := h.assemble(p); err != nil {
		return nil, h.recordFault(ctx, "settings", err)
	}
	return h, nil
}

// footing is a house without rooms, over a database that fits: what commands need
// that work on the database directly.
func newBase(ctx context.Context, p Options, engine *relational.Engine, keyring *seal.Keyring) (*Server, error) {
	h := &Server{Store: engine, Keyring: keyring, Now: p.Now, Log: p.Log, Metrics: p.metrics, Events: p.events, Tracer: p.tracer}
	h.sweptAt.Store(p.Now().Unix())
	h.health = &health{store: engine, now: p.Now}
	if err := PrepareSchema(ctx, engine, p.Migrate); err != nil {
		return nil, err
	}
	h.Budgets = web.NewBudgets(p.Now, time.Minute, budgets(p.Config.Limits))
	h.Journal = audit.NewJournal(engine, p.Now, p.Random, p.Log, h.Budgets.Admit)
	h.Keys = &keys.Manager{Store: engine, Keyring: keyring, Journal: h.Journal, Now: p.Now, Log: p.Log,
		RotateAfter: p.Config.Keys.RotateAfter, RotateOwnAfter: p.Config.Keys.RotateOwnAfter, MaxSkew: skewServing}
	skew, err := h.health.skew(ctx)
	if err != nil {
		return nil, err
	}
	if skew > skewAtStart {
		return nil, h.recordFault(ctx, "clock", fmt.Errorf("the clock differs from the database's by %s, %s at most is allowed", skew.Round(time.Millisecond), skewAtStart))
	}
	return h, nil
}

// schema brings the schema up, or checks that it is.
func PrepareSchema(ctx context.Context, engine *relational.Engine, migrate bool) error {
	if migrate {
		return engine.Migrate(ctx)
	}
	if err := engine.CheckSchema(ctx); err != nil {
		return fmt.Errorf("%w (sallyport migrate does it)", err)
	}
	return nil
}

// rooms builds mfa, provider and web. The order of methods is the order in which
// pages offer them.
func (h *Server) assemble(p Options) error {
	c, l := p.Config, p.Config.Lifetimes
	var work func(context.Context, string) func()
	var span web.Spanner
	if h.Tracer != nil {
		work, span = h.Tracer.Work, h.Tracer.Request
	}
	h.Password = password.New(h.Keyring, p.Random, password.Options{
		Memory: c.Argon2.Memory, Time: c.Argon2.Time, Threads: c.Argon2.Threads,
		Parallel: parallel(c.Argon2.Parallel), Queue: c.Argon2.Queue, Wait: c.Argon2.Wait, Span: work,
		Context: productWords(c), MinLength: c.Passwords.MinLength, Breached: c.Passwords.BreachedFile,
	})
	h.TOTP = totp.New(p.Random, c.Product, totp.Options{Strict: c.TOTPWindow == 0})
	recovery := recovery.New(h.Store, p.Random)
	verifier := exchange.NewVerifier(h.Store, h.Keyring, h.Journal, p.Now, p.Random, exchange.Options{
		Product: c.Product, MaxAttempts: 5, MaxInitiations: 20, RecoveryCodes: 10,
		ExchangeTTL: l.Exchange, EnrollTTL: l.Enroll, VerifiedTTL: l.Verified, Reauth: l.Reauth,
		AddressMax: c.Throttle.AddressFailures, AddressMaxSubjects: c.Throttle.AddressUsers, AddressWindow: c.Throttle.AddressWindow,
		Throttled: h.Events.CountThrottledFactor, Admit: h.Budgets.Admit,
	}, h.Password, h.TOTP, recovery)
	h.Sessions = session.New(h.Store, h.Keyring, h.Journal, p.Now, p.Random, session.Options{Idle: l.SessionIdle, Max: l.SessionMax})
	h.Users = users.New(h.Store, h.Keyring, h.Password, h.TOTP, h.Journal, p.Now, p.Random)
	h.Verifier = verifier
	h.Events.AddMethods(verifier.Methods())
	own := account.Client(c.Issuer, c.Product)
	h.Clients = clients.NewRegistry(h.Store, h.Journal, p.Now, p.Random, own)
	h.APIKeys = apikeys.New(h.Store, h.Journal, p.Now, p.Random, c.Environment, p.Log)

	var err error
	h.Provider, err = provider.New(h.Store, h.Keyring, verifier, h.Sessions, h.Journal, p.Now, p.Random, provider.Options{
		Issuer: c.Issuer, Environment: c.Environment, SigningAlg: c.SigningAlgs[0], ACRAliases: aliases(c.ACRAliases),
		RequestTTL: l.Request, CodeTTL: l.Code, AccessTokenTTL: l.AccessToken, IDTokenTTL: l.IDToken,
		RefreshIdleTTL: l.RefreshIdle, RefreshTTL: l.RefreshMax, LegacyResponseTypes: c.LegacyResponseTypes, Logger: p.Log, Admit: h.Budgets.Admit,
		BuiltIn: []storage.Client{own}, Throttled: h.Events.CountThrottled,
	})
	if err != nil {
		return fmt.Errorf("build provider: %w", err)
	}
	look, err := page.New(h.Keyring, page.Options{Issuer: c.Issuer, Product: c.Product, TemplateDir: c.TemplateDir, Least: h.Password.MinLength(), Logger: p.Log},
		login.Files(), account.Files())
	if err != nil {
		return fmt.Errorf("build pages: %w", err)
	}
	pages := login.New(h.Provider, verifier, h.Sessions, look)
	dialect := cidaas.New(h.Provider, verifier, h.Sessions, p.Random, cidaas.Options{Issuer: c.Issuer, Product: c.Product, Answer: pages.Answer, Logger: p.Log})
	surfaces := append([]web.Surface{look, pages.WithClientPages(dialect.Page), account.New(h.Provider, verifier, h.Sessions, look, c.Issuer), dialect, oidc.New(h.Provider, oidc.Options{Issuer: c.Issuer}),
		api.New(h.Provider, verifier, h.Sessions, api.Options{Logger: p.Log})}, p.Surfaces...)
	h.Handler, err = web.New(web.Options{
		Issuer: c.Issuer, TrustedProxies: c.TrustedProxies, Logger: p.Log, Counters: metrics.NewWebCounters(metrics.NewSet(h.Metrics)), ErrorPage: pages.Refusal, Span: span,
		Timeout: answerTime + max(0, c.Argon2.Wait-config.Default().Argon2.Wait),
	}, p.Random, p.Now, surfaces...)
	if err != nil {
		return fmt.Errorf("build web: %w", err)
	}
	h.registerMetrics(h.Metrics)
	return nil
}

// budgets are the limits by the names of what they bound.
func budgets(l config.Limits) map[string]int {
	return map[string]int{budget.Opens: l.Opens, budget.Initiations: l.Initiations, budget.Names: l.Names, budget.Failures: l.Failures, budget.Refusals: l.Refusals}
}

func aliases(in map[string]string) map[string]mfa.Level {
	out := make(map[string]mfa.Level, len(in))
	for name, level := range in {
		out[name] = mfa.Level(level)
	}
	return out
}

// close sends the last traces and ends the database connections.
func (h *Server) Close() {
	if err := h.Tracer.Close(); err != nil {
		h.Log.Warn("tracing", "error", err)
	}
	if err := h.Store.Close(); err != nil {
		h.Log.Error("close database", "error", err)
	}
}

func tracerOptions(p Options) tracing.Options {
	return tracing.Options{Settings: p.Config.Tracing, Environment: p.Config.Environment,
		SQLite: strings.HasPrefix(p.DSN.Reveal(), "sqlite:"), Now: p.Now, Random: p.Random, Log: p.Log}
}
