package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/exchange"
	"sallyport/mfa/password"
	"sallyport/mfa/recovery"
	"sallyport/mfa/selfservice"
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
type parts struct {
	config   config.Config
	dsn      config.Secret
	keks     []seal.KEK
	migrate  bool // bring the schema up first; serve leaves that to its command
	now      func() time.Time
	random   io.Reader
	log      *slog.Logger
	surfaces []web.Surface        // besides those every server has
	metrics  *prometheus.Registry // of what a server counts; build makes it
	tally    *tally               // counts what is written; build makes it
	traces   *tracer              // nil: nothing is traced; build makes it
}

// house is every room, built.
type house struct {
	store    *relational.Engine
	keyring  *seal.Keyring
	journal  *audit.Journal
	totp     *totp.Method
	users    *users.Registry
	clients  *clients.Registry
	apiKeys  *apikeys.Keys
	sessions *session.Registry
	provider *provider.Provider
	handler  http.Handler
	health   *health
	budgets  *web.Budgets
	verifier *exchange.Verifier
	now      func() time.Time
	log      *slog.Logger
	// rotateAfter is how long a signing key signs, rotateOwnAfter how long a key is used
	// that nobody else sees; 0: until an operator rotates it.
	rotateAfter, rotateOwnAfter time.Duration
	// For the metrics: what is read there besides the rooms.
	metrics  *prometheus.Registry
	tally    *tally
	traces   *tracer // nil: nothing is traced
	password *password.Method
	sweptAt  atomic.Int64 // in seconds
}

// build opens the database and builds the rooms on top of each other.
func build(ctx context.Context, p parts) (*house, error) {
	p.metrics = prometheus.NewRegistry()
	p.tally = newTally(newSheet(p.metrics))
	if p.config.Tracing.Endpoint != "" {
		var err error
		if p.traces, err = newTracer(ctx, p); err != nil {
			return nil, err
		}
		p.log = slog.New(traced{p.log.Handler()})
	}
	engine, err := openEngine(ctx, p)
	if err != nil {
		return nil, errors.Join(err, p.traces.close())
	}
	h, err := furnish(ctx, p, engine.Engine, engine.keyring)
	if err != nil {
		return nil, errors.Join(err, engine.Close(), p.traces.close())
	}
	return h, nil
}

// opened is an engine with the keyring it seals with.
type opened struct {
	*relational.Engine
	keyring *seal.Keyring
}

func openEngine(ctx context.Context, p parts) (opened, error) {
	keyring := seal.New(p.keks, p.random)
	o := relational.Options{MaxConns: p.config.Database.MaxConnections, Logger: p.log, Now: p.now, KeepEvents: p.config.Audit.Keep}
	if p.tally != nil {
		o.Written = p.tally.count
	}
	if p.traces != nil {
		o.Span = p.traces.call
	}
	engine, err := relational.Open(ctx, p.dsn.Reveal(), keyring, o)
	if err != nil {
		return opened{}, fmt.Errorf("open database: %w", err)
	}
	return opened{engine, keyring}, nil
}

func furnish(ctx context.Context, p parts, engine *relational.Engine, keyring *seal.Keyring) (*house, error) {
	h, err := footing(ctx, p, engine, keyring)
	if err != nil {
		return nil, err
	}
	if err := h.loadKeys(ctx, p.config.SigningAlgs); err != nil {
		return nil, h.complain(ctx, "keys", err)
	}
	if err := h.rooms(p); err != nil {
		return nil, h.complain(ctx, "settings", err)
	}
	return h, nil
}

// footing is a house without rooms, over a database that fits: what commands need
// that work on the database directly.
func footing(ctx context.Context, p parts, engine *relational.Engine, keyring *seal.Keyring) (*house, error) {
	h := &house{store: engine, keyring: keyring, now: p.now, log: p.log, metrics: p.metrics, tally: p.tally, traces: p.traces,
		rotateAfter: p.config.Keys.RotateAfter, rotateOwnAfter: p.config.Keys.RotateOwnAfter}
	h.sweptAt.Store(p.now().Unix())
	h.health = &health{store: engine, now: p.now}
	if err := schema(ctx, engine, p.migrate); err != nil {
		return nil, err
	}
	h.budgets = web.NewBudgets(p.now, time.Minute, budgets(p.config.Limits))
	h.journal = audit.NewJournal(engine, p.now, p.random, p.log, h.budgets.Admit)
	skew, err := h.health.skew(ctx)
	if err != nil {
		return nil, err
	}
	if skew > skewAtStart {
		return nil, h.complain(ctx, "clock", fmt.Errorf("the clock differs from the database's by %s, %s at most is allowed", skew.Round(time.Millisecond), skewAtStart))
	}
	return h, nil
}

// schema brings the schema up, or checks that it is.
func schema(ctx context.Context, engine *relational.Engine, migrate bool) error {
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
func (h *house) rooms(p parts) error {
	c, l := p.config, p.config.Lifetimes
	var work func(context.Context, string) func()
	var span web.Spanner
	if h.traces != nil {
		work, span = h.traces.work, h.traces.request
	}
	h.password = password.New(h.keyring, p.random, password.Options{
		Memory: c.Argon2.Memory, Time: c.Argon2.Time, Threads: c.Argon2.Threads,
		Parallel: parallel(c.Argon2.Parallel), Queue: c.Argon2.Queue, Wait: c.Argon2.Wait, Span: work,
		Context: ownWords(c), MinLength: c.Passwords.MinLength, Breached: c.Passwords.BreachedFile,
	})
	h.totp = totp.New(p.random, c.Product, totp.Options{Strict: c.TOTPWindow == 0})
	recovery := recovery.New(h.store, p.random)
	verifier := exchange.NewVerifier(h.store, h.keyring, h.journal, p.now, p.random, exchange.Options{
		Product: c.Product, MaxAttempts: 5, MaxInitiations: 20, RecoveryCodes: 10,
		ExchangeTTL: l.Exchange, EnrollTTL: l.Enroll, VerifiedTTL: l.Verified, Reauth: l.Reauth,
		AddressMax: c.Throttle.AddressFailures, AddressMaxSubjects: c.Throttle.AddressUsers, AddressWindow: c.Throttle.AddressWindow,
		Throttled: h.tally.refused, Admit: h.budgets.Admit,
	}, h.password, h.totp, recovery)
	h.sessions = session.New(h.store, h.keyring, h.journal, p.now, p.random, session.Options{Idle: l.SessionIdle, Max: l.SessionMax})
	h.users = users.New(h.store, h.keyring, h.password, h.totp, h.journal, p.now, p.random)
	h.verifier = verifier
	accounts := selfservice.New(h.store, verifier, h.password, h.journal, p.now, p.random, c.Product)
	h.tally.know(verifier.Methods())
	own := account.Client(c.Issuer, c.Product)
	h.clients = clients.NewRegistry(h.store, h.journal, p.now, p.random, own)
	h.apiKeys = apikeys.New(h.store, h.journal, p.now, p.random, c.Environment, p.log)

	var err error
	h.provider, err = provider.New(h.store, h.keyring, verifier, h.sessions, h.journal, p.now, p.random, provider.Options{
		Issuer: c.Issuer, Environment: c.Environment, SigningAlg: c.SigningAlgs[0], ACRAliases: aliases(c.ACRAliases),
		RequestTTL: l.Request, CodeTTL: l.Code, AccessTokenTTL: l.AccessToken, IDTokenTTL: l.IDToken,
		RefreshIdleTTL: l.RefreshIdle, RefreshTTL: l.RefreshMax, LegacyResponseTypes: c.LegacyResponseTypes, Logger: p.log, Admit: h.budgets.Admit,
		BuiltIn: []storage.Client{own}, Throttled: h.tally.waited,
	})
	if err != nil {
		return fmt.Errorf("build provider: %w", err)
	}
	look, err := page.New(h.keyring, page.Options{Issuer: c.Issuer, Product: c.Product, TemplateDir: c.TemplateDir, Least: h.password.MinLength(), Logger: p.log},
		login.Files(), account.Files())
	if err != nil {
		return fmt.Errorf("build pages: %w", err)
	}
	pages := login.New(h.provider, verifier, h.sessions, look)
	dialect := cidaas.New(h.provider, verifier, accounts, h.sessions, p.random, cidaas.Options{Issuer: c.Issuer, Product: c.Product, Answer: pages.Answer, Logger: p.log})
	surfaces := append([]web.Surface{look, pages.WithClientPages(dialect.Page), account.New(h.provider, verifier, accounts, h.sessions, look, c.Issuer), dialect, oidc.New(h.provider, oidc.Options{Issuer: c.Issuer}),
		api.New(h.provider, verifier, h.sessions, api.Options{Logger: p.log})}, p.surfaces...)
	h.handler, err = web.New(web.Options{
		Issuer: c.Issuer, TrustedProxies: c.TrustedProxies, Logger: p.log, Counters: webCounters(newSheet(h.metrics)), ErrorPage: pages.Refusal, Span: span,
		Timeout: answerTime + max(0, c.Argon2.Wait-config.Default().Argon2.Wait),
	}, p.random, p.now, surfaces...)
	if err != nil {
		return fmt.Errorf("build web: %w", err)
	}
	h.measure(h.metrics)
	return nil
}

// budgets are the limits by the names of what they bound.
func budgets(l config.Limits) map[string]int {
	return map[string]int{budget.Opens: l.Opens, budget.Initiations: l.Initiations, budget.Names: l.Names, budget.Failures: l.Failures, budget.Refusals: l.Refusals}
}

// parallel is how many passwords are hashed at once: one a core, unless told otherwise (T-8).
func parallel(setting int) int {
	if setting > 0 {
		return setting
	}
	return runtime.GOMAXPROCS(0)
}

func aliases(in map[string]string) map[string]mfa.Level {
	out := make(map[string]mfa.Level, len(in))
	for name, level := range in {
		out[name] = mfa.Level(level)
	}
	return out
}

// close sends the last traces and ends the database connections.
func (h *house) close() {
	if err := h.traces.close(); err != nil {
		h.log.Warn("tracing", "error", err)
	}
	if err := h.store.Close(); err != nil {
		h.log.Error("close database", "error", err)
	}
}
