package server

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/cmd/sallyport/metrics"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/budget"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/exchange"
	"sallyport/mfa/messages"
	"sallyport/mfa/password"
	"sallyport/mfa/recovery"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/session"
	"sallyport/mfa/totp"
	"sallyport/mfa/users"
	"sallyport/provider"
	"sallyport/provider/apikeys"
	"sallyport/provider/clients"
	"sallyport/provider/registration"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/account"
	"sallyport/web/api"
	"sallyport/web/apidocs"
	"sallyport/web/cidaas"
	"sallyport/web/login"
	"sallyport/web/oidc"
	"sallyport/web/page"
	"sallyport/web/streambird"
	"sallyport/web/stytch"
)

// requestTimeout bounds a request, the default wait for a password's turn included: a
// database that hangs must not keep a user waiting for more than 3 s.
const requestTimeout = 2500 * time.Millisecond

// methods returns the methods that users may prove themselves with, in the order in which
// pages offer them.
func (s *Server) methods(p Options) ([]mfa.Method, error) {
	c := p.Config
	var work func(context.Context, string) func()
	if s.Tracer != nil {
		work = s.Tracer.Work
	}
	s.Password = password.New(s.Keyring, p.Now, p.Random, password.Options{
		Memory: c.Argon2.Memory, Time: c.Argon2.Time, Threads: c.Argon2.Threads,
		Parallel: Parallel(c.Argon2.Parallel), Queue: c.Argon2.Queue, Wait: c.Argon2.Wait, Span: work,
		Context: productWords(c), MinLength: c.Passwords.MinLength, Breached: c.Passwords.BreachedFile,
	})
	s.TOTP = totp.New(p.Random, c.Product, totp.Options{Strict: c.TOTPWindow == 0, Ahead: s.logAhead})
	passkeys, err := s.passkeys(p)
	return slices.Concat([]mfa.Method{s.Password, s.TOTP}, passkeys, s.codeMethods(p), []mfa.Method{recovery.New(s.Store, p.Random)}), err
}

// namedMethods returns what messages, pages and metrics name: the methods and what is proven beside
// them.
func (s *Server) namedMethods() []mfa.Info { return append(s.Verifier.Methods(), enrollcode.Info()) }

// logAhead reports a right code that is refused. The caller is not told.
func (s *Server) logAhead(id storage.AuthenticatorID, until time.Time) {
	s.Log.Warn("a right code is refused: while the clock was ahead, a code for a later time was accepted; sallyport user reset-counters corrects this",
		"authenticator", string(id), "until", until)
}

// assemble creates mfa, provider and web.
func (s *Server) assemble(p Options) error {
	c, l := p.Config, p.Config.Lifetimes
	var span web.Spanner
	if s.Tracer != nil {
		span = s.Tracer.Request
	}
	s.Verifier = exchange.NewVerifier(s.Store, s.Keyring, s.Journal, p.Now, p.Random, exchange.Options{
		Product: c.Product, MaxAttempts: 5, MaxInitiations: 20, RecoveryCodes: 10,
		ExchangeTTL: l.Exchange, EnrollTTL: l.Enroll, VerifiedTTL: l.Verified, Reauth: l.Reauth,
		AddressMax: c.Throttle.AddressFailures, AddressMaxSubjects: c.Throttle.AddressUsers, AddressWindow: c.Throttle.AddressWindow,
		Throttled: s.Events.CountThrottledFactor, Admit: s.Budgets.Admit, SendsMail: c.Sends("mail"),
	}, s.Keys.Methods...)
	s.Sessions = session.New(s.Store, s.Keyring, s.Journal, p.Now, p.Random, session.Options{Idle: l.SessionIdle, Max: l.SessionMax})
	s.Users = users.New(s.Store, s.Verifier, s.Keyring, s.Password, s.TOTP, s.Journal, p.Now, p.Random).WithCodeLife(l.EnrollmentCode)
	s.Accounts = selfservice.New(s.Store, s.Verifier, s.Password, s.Journal, p.Now, p.Random,
		selfservice.Options{Product: c.Product, Undo: l.AddressUndo, Editable: c.ProfileEditable, Usernames: selfservice.Usernames(c.Usernames)})
	s.Backend = backend.New(s.Store, s.Verifier, s.Sessions, s.Users, s.Journal, p.Now, p.Random,
		backend.Options{MatchCodes: c.Fingerprints.Codes, MatchSessions: c.Fingerprints.Sessions, Product: c.Product})
	s.Messages = messages.New(s.Store, s.Journal, p.Now)
	s.Events.AddMethods(s.namedMethods())
	own := account.Client(c.Issuer, c.Product)
	s.Clients = clients.NewRegistry(s.Store, s.Journal, p.Now, p.Random, own)
	s.RegistrationTokens = registration.NewTokens(s.Store, s.Journal, p.Now, p.Random)
	s.APIKeys = apikeys.New(s.Store, s.Journal, p.Now, p.Random, c.Environment, p.Log)

	fetcher, err := newFetcher(p)
	if err != nil {
		return err
	}
	registrations, err := registrationOptions(c.Registration)
	if err != nil {
		return err
	}
	certificates, err := s.mutualTLS(c.MTLS)
	if err != nil {
		return err
	}
	types, err := openDetails(c.DetailsFile)
	if err != nil {
		return err
	}
	s.Provider, err = provider.New(s.Store, s.Keyring, s.Verifier, s.Sessions, s.Journal, p.Now, p.Random, provider.Options{
		Issuer: c.Issuer, Environment: c.Environment, SigningAlg: c.SigningAlgs[0], ACRAliases: aliases(c.ACRAliases),
		RequestTTL: l.Request, CodeTTL: l.Code, AccessTokenTTL: l.AccessToken, IDTokenTTL: l.IDToken,
		RefreshIdleTTL: l.RefreshIdle, RefreshTTL: l.RefreshMax, LegacyResponseTypes: c.LegacyResponseTypes, RequireDPoPNonce: c.RequireDPoPNonce, MTLS: certificates, Logger: p.Log, Admit: s.Budgets.Admit,
		BuiltIn: []storage.Client{own}, Throttled: s.Events.CountThrottled, Fetcher: fetcher, Registration: registrations, RequirePushed: c.RequirePushed, Details: types, Offer: c.Passkeys.Offer, SignUp: s.signUp(c), Documents: documents(c), Resources: c.Resources,
	})
	if err != nil {
		return fmt.Errorf("build provider: %w", err)
	}
	if err := s.assembleDeliveries(p); err != nil {
		return err
	}
	if p.AdminOnly {
		return nil
	}
	return s.assembleWeb(p, span)
}

// assembleWeb creates the surfaces and the handler of the public listener.
func (s *Server) assembleWeb(p Options, span web.Spanner) error {
	c := p.Config
	look, err := page.New(s.Keyring, page.Options{Issuer: c.Issuer, Product: c.Product, SupportURL: c.SupportURL, Methods: s.namedMethods(), TemplateDir: c.TemplateDir, Least: s.Password.MinLength(), Logger: p.Log},
		login.Files(), account.Files(), apidocs.Files())
	if err != nil {
		return fmt.Errorf("build pages: %w", err)
	}
	pages := login.New(s.Provider, s.Verifier, s.Sessions, look).WithResets(s.Resets).WithSignUps(s.SignUps)
	if p.Developers {
		pages = pages.ForDevelopers()
	}
	dialect := cidaas.New(s.Provider, s.Verifier, s.Accounts, s.Sessions, p.Random, cidaas.Options{Issuer: c.Issuer, Product: c.Product, Answer: pages.Answer, Logger: p.Log})
	docs := apidocs.New(look, c.Issuer, descriptions()...)
	// Stytch's programs say in a call what must match.
	matching := backend.New(s.Store, s.Verifier, s.Sessions, s.Users, s.Journal, p.Now, p.Random, backend.Options{Product: c.Product})
	surfaces := append([]web.Surface{look, docs, pages.WithClientPages(dialect.Page), account.New(s.Provider, s.Verifier, s.Accounts, s.Sessions, look, c.Issuer).WithPasskeys(s.Passkey), dialect, oidc.New(s.Provider, oidc.Options{Issuer: c.Issuer, AnyOrigin: c.ClientDocuments.Enabled, Registers: c.Registration.Mode != registration.Off, PasskeyOrigins: s.passkeyOrigins(c)}),
		api.New(s.Provider, s.Verifier, s.Sessions).WithResets(s.Resets).WithSignUps(s.SignUps).WithSupport(c.SupportURL),
		streambird.New(s.Backend, s.APIKeys, streambird.NewSigner(s.Keyring, p.Random), s.Journal, p.Now, streambird.Options{Issuer: c.Issuer, JWTLife: c.Lifetimes.StreambirdJWT}),
		stytch.New(matching, s.APIKeys, s.Journal, s.Keyring, p.Now, p.Random, stytch.Options{Issuer: c.Issuer, Environment: c.Environment, Rate: c.Limits.Calls})}, p.Surfaces...)
	countries, err := s.openCountries(c.CountryFile)
	if err != nil {
		return err
	}
	s.Handler, err = web.New(web.Options{
		Issuer: c.Issuer, TrustedProxies: c.TrustedProxies, ClientCertificate: certificateHeader(c.MTLS), Logger: p.Log, Counters: metrics.NewWebCounters(metrics.NewSet(s.Metrics)), Country: countries.Of, ErrorPage: pages.Refusal, Span: span,
		Timeout: requestTimeout + max(0, c.Argon2.Wait-config.Default().Argon2.Wait),
	}, p.Random, p.Now, surfaces...)
	if err != nil {
		return fmt.Errorf("build web: %w", err)
	}
	s.registerMetrics(s.Metrics)
	return nil
}

// descriptions are those of the APIs of the public listener.
func descriptions() []apidocs.Description {
	return []apidocs.Description{
		{Name: "login", Text: api.OpenAPI(), Also: api.Described},
		{Name: "cidaas", Text: cidaas.OpenAPI()},
		{Name: "stytch", Text: stytch.OpenAPI()},
		{Name: "streambird", Text: streambird.OpenAPI()},
	}
}

// budgets returns the limits by the budgets they are of.
func budgets(l config.Limits) map[string]int {
	return map[string]int{budget.Opens: l.Opens, budget.Initiations: l.Initiations, budget.Names: l.Names, budget.Failures: l.Failures, budget.Refusals: l.Refusals, budget.Registrations: l.Registrations}
}

func aliases(in map[string]string) map[string]mfa.Level {
	out := make(map[string]mfa.Level, len(in))
	for name, level := range in {
		out[name] = mfa.Level(level)
	}
	return out
}

// productWords are what an attacker would try first as a password here: the names of the
// product and of the issuer.
func productWords(c config.Config) []string {
	words := append(strings.Fields(c.Product), c.Product, "sallyport")
	if u, err := url.Parse(c.Issuer); err == nil {
		words = append(append(words, u.Hostname()), strings.Split(u.Hostname(), ".")...)
	}
	return words
}
