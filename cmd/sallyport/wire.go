package main

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

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/provider"
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
	journal  *mfa.Journal
	totp     *mfa.TOTP
	users    *mfa.Users
	clients  *provider.Registry
	apiKeys  *provider.APIKeys
	sessions *mfa.Sessions
	provider *provider.Provider
	handler  http.Handler
	health   *health
	budgets  *web.Budgets
	verifier *mfa.Verifier
	now      func() time.Time
	log      *slog.Logger
	keys     *manager
	// For the metrics: what is read there besides the rooms.
	metrics  *prometheus.Registry
	tally    *tally
	traces   *tracer // nil: nothing is traced
	password *mfa.Password
	sweptAt  atomic.Int64 // in seconds
}

// build opens the database and builds the rooms on top of each other.
func build(ctx context.Context, p parts) (*house, error) {
	p.metrics = prometheus.NewRegistry()
	p.tally = newTally(newSheet(p.metrics))
	if p.config.Tracing.Endpoint != "" {
		var err error
		if p.traces, err = newTracer(ctx, tracerOptions(p)); err != nil {
			return nil, err
		}
		p.log = slog.New(traced{Handler: p.log.Handler()})
	}
	engine, keyring, err := openEngine(ctx, p)
	if err != nil {
		return nil, errors.Join(err, p.traces.close())
	}
	h, err := furnish(ctx, p, engine, keyring)
	if err != nil {
		return nil, errors.Join(err, engine.Close(), p.traces.close())
	}
	return h, nil
}

// openEngine opens the database without caring for its schema. What it seals is sealed
// with the keyring.
func openEngine(ctx context.Context, p parts) (*relational.Engine, *seal.Keyring, error) {
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
		return nil, nil, fmt.Errorf("open database: %w", err)
	}
	return engine, keyring, nil
}

// withKeys opens the database and the keys in it, without building the rooms above.
func withKeys(ctx context.Context, p parts) (*house, error) {
	engine, keyring, err := openEngine(ctx, p)
	if err != nil {
		return nil, err
	}
	h, err := footing(ctx, p, engine, keyring)
	if err == nil {
		err = h.keys.reload(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return h, nil
}

func furnish(ctx context.Context, p parts, engine *relational.Engine, keyring *seal.Keyring) (*house, error) {
	h, err := footing(ctx, p, engine, keyring)
	if err != nil {
		return nil, err
	}
	if err := h.keys.load(ctx, p.config.SigningAlgs); err != nil {
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
	h := &house{store: engine, keyring: keyring, now: p.now, log: p.log, metrics: p.metrics, tally: p.tally, traces: p.traces}
	h.sweptAt.Store(p.now().Unix())
	h.health = &health{store: engine, now: p.now}
	if err := schema(ctx, engine, p.migrate); err != nil {
		return nil, err
	}
	h.budgets = web.NewBudgets(p.now, time.Minute, budgets(p.config.Limits))
	h.journal = mfa.NewJournal(engine, p.now, p.random, p.log, h.budgets.Admit)
	h.keys = &manager{store: engine, keyring: keyring, journal: h.journal, now: p.now, log: p.log,
		rotateAfter: p.config.Keys.RotateAfter, rotateOwnAfter: p.config.Keys.RotateOwnAfter, maxSkew: skewServing}
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
	h.password = mfa.NewPassword(h.keyring, p.random, mfa.PasswordOptions{
		Memory: c.Argon2.Memory, Time: c.Argon2.Time, Threads: c.Argon2.Threads,
		Parallel: parallel(c.Argon2.Parallel), Queue: c.Argon2.Queue, Wait: c.Argon2.Wait, Span: work,
		Context: ownWords(c), MinLength: c.Passwords.MinLength, Breached: c.Passwords.BreachedFile,
	})
	h.totp = mfa.NewTOTP(p.random, c.Product, mfa.TOTPOptions{Strict: c.TOTPWindow == 0})
	recovery := mfa.NewRecovery(h.store, p.random)
	verifier := mfa.NewVerifier(h.store, h.keyring, h.journal, p.now, p.random, mfa.Options{
		Product: c.Product, MaxAttempts: 5, MaxInitiations: 20, RecoveryCodes: 10,
		ExchangeTTL: l.Exchange, EnrollTTL: l.Enroll, VerifiedTTL: l.Verified, Reauth: l.Reauth,
		AddressMax: c.Throttle.AddressFailures, AddressMaxSubjects: c.Throttle.AddressUsers, AddressWindow: c.Throttle.AddressWindow,
		Throttled: h.tally.refused, Admit: h.budgets.Admit,
	}, h.password, h.totp, recovery)
	h.sessions = mfa.NewSessions(h.store, h.keyring, h.journal, p.now, p.random, mfa.SessionOptions{Idle: l.SessionIdle, Max: l.SessionMax})
	h.users = mfa.NewUsers(h.store, h.keyring, h.password, h.totp, h.journal, p.now, p.random)
	h.verifier = verifier
	h.tally.know(verifier.Methods())
	own := account.Client(c.Issuer, c.Product)
	h.clients = provider.NewRegistry(h.store, h.journal, p.now, p.random, own)
	h.apiKeys = provider.NewAPIKeys(h.store, h.journal, p.now, p.random, c.Environment, p.log)

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
	dialect := cidaas.New(h.provider, verifier, h.sessions, p.random, cidaas.Options{Issuer: c.Issuer, Product: c.Product, Answer: pages.Answer, Logger: p.log})
	surfaces := append([]web.Surface{look, pages.Leading(dialect.Page), account.New(h.provider, verifier, h.sessions, look, c.Issuer), dialect, oidc.New(h.provider, oidc.Options{Issuer: c.Issuer}),
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
	return map[string]int{mfa.BudgetOpens: l.Opens, mfa.BudgetInitiations: l.Initiations, mfa.BudgetNames: l.Names, mfa.BudgetFailures: l.Failures, mfa.BudgetRefusals: l.Refusals}
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

func tracerOptions(p parts) tracingOptions {
	return tracingOptions{settings: p.config.Tracing, environment: p.config.Environment,
		sqlite: strings.HasPrefix(p.dsn.Reveal(), "sqlite:"), now: p.now, random: p.random, log: p.log}
}
