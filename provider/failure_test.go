package provider

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/storage"
)

// brittle is the real engine with one call out of order. After breaks only once the
// call was done: the connection was lost during the commit.
type brittle struct {
	Store
	broken string
	after  bool
	// before runs once, ahead of a call: the other one who came at the same time.
	before map[string]func()
}

var errBroken = errors.New("connection reset by peer")

// through makes one call of the engine, or breaks it.
func through[T any](b *brittle, call string, do func() (T, error)) (T, error) {
	var none T
	if other := b.before[call]; other != nil {
		delete(b.before, call)
		other()
	}
	if b.broken != call {
		return do()
	}
	if b.after {
		if _, err := do(); err != nil {
			return none, err
		}
	}
	return none, errBroken
}

func (b *brittle) does(call string, do func() error) error {
	_, err := through(b, call, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (b *brittle) Client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	return through(b, "Client", func() (storage.Client, error) { return b.Store.Client(ctx, id) })
}

func (b *brittle) ListClients(ctx context.Context) ([]storage.Client, error) {
	return through(b, "ListClients", func() ([]storage.Client, error) { return b.Store.ListClients(ctx) })
}

func (b *brittle) Code(ctx context.Context, code string, now time.Time) (storage.CodeStanding, error) {
	return through(b, "Code", func() (storage.CodeStanding, error) { return b.Store.Code(ctx, code, now) })
}

func (b *brittle) Grant(ctx context.Context, id storage.GrantID) (storage.Standing, error) {
	return through(b, "Grant", func() (storage.Standing, error) { return b.Store.Grant(ctx, id) })
}

func (b *brittle) Consent(ctx context.Context, user storage.UserID, id storage.ClientID) (storage.Consent, error) {
	return through(b, "Consent", func() (storage.Consent, error) { return b.Store.Consent(ctx, user, id) })
}

func (b *brittle) TokenRevoked(ctx context.Context, jti string) (bool, error) {
	return through(b, "TokenRevoked", func() (bool, error) { return b.Store.TokenRevoked(ctx, jti) })
}

func (b *brittle) RedeemCode(ctx context.Context, r storage.Redemption) error {
	return b.does("RedeemCode", func() error { return b.Store.RedeemCode(ctx, r) })
}

func (b *brittle) RotateRefresh(ctx context.Context, r storage.Rotation) error {
	return b.does("RotateRefresh", func() error { return b.Store.RotateRefresh(ctx, r) })
}

func (b *brittle) RevokeGrant(ctx context.Context, id storage.GrantID, reason string, now time.Time, events []storage.Event) error {
	return b.does("RevokeGrant", func() error { return b.Store.RevokeGrant(ctx, id, reason, now, events) })
}

func (b *brittle) RevokeToken(ctx context.Context, jti string, until time.Time, events []storage.Event) error {
	return b.does("RevokeToken", func() error { return b.Store.RevokeToken(ctx, jti, until, events) })
}

func (b *brittle) FinishRequest(ctx context.Context, f storage.Finish) error {
	return b.does("FinishRequest", func() error { return b.Store.FinishRequest(ctx, f) })
}

func (b *brittle) OpenRequest(ctx context.Context, r storage.AuthRequest) error {
	return b.does("OpenRequest", func() error { return b.Store.OpenRequest(ctx, r) })
}

// breakage is a storage call out of order, and a call of ours that needs it. made holds
// tokens by name.
type breakage struct {
	name   string
	broken string
	after  bool
	call   func(h *house, made map[string]string) reply
}

func breakages() []breakage {
	return []breakage{
		{"client of a code exchange", "Client", false, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", redeem(m["code"])) }},
		{"code", "Code", false, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", redeem(m["code"])) }},
		{"redemption", "RedeemCode", false, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", redeem(m["code"])) }},
		{"redemption, lost at the commit", "RedeemCode", true, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", redeem(m["code"])) }},
		{"end of a replayed code's grant", "RevokeGrant", false, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", redeem(m["used"])) }},
		{"grant of a refresh", "Grant", false, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", refreshOf(m["refresh"])) }},
		{"rotation", "RotateRefresh", false, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", refreshOf(m["refresh"])) }},
		{"rotation, lost at the commit", "RotateRefresh", true, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", refreshOf(m["refresh"])) }},
		{"end of a reused refresh token's family", "RevokeGrant", false, func(h *house, m map[string]string) reply { return h.post(h.p.Token, "rp", refreshOf(m["old"])) }},
		{"client credentials", "Client", false, func(h *house, m map[string]string) reply {
			return h.post(h.p.Token, "rp", formOf("grant_type", "client_credentials"))
		}},
		{"introspection", "Grant", false, func(h *house, m map[string]string) reply {
			return h.post(h.p.Introspect, "rp", formOf("token", m["access"]))
		}},
		{"introspection of a refresh token", "Grant", false, func(h *house, m map[string]string) reply {
			return h.post(h.p.Introspect, "rp", formOf("token", m["refresh"]))
		}},
		{"introspection of a client's token", "TokenRevoked", false, func(h *house, m map[string]string) reply {
			return h.post(h.p.Introspect, "rp", formOf("token", m["client"]))
		}},
		{"revocation, reading", "Grant", false, func(h *house, m map[string]string) reply {
			return h.post(h.p.Revoke, "rp", formOf("token", m["refresh"]))
		}},
		{"revocation", "RevokeGrant", false, func(h *house, m map[string]string) reply {
			return h.post(h.p.Revoke, "rp", formOf("token", m["access"]))
		}},
		{"revocation of a client's token", "RevokeToken", false, func(h *house, m map[string]string) reply {
			return h.post(h.p.Revoke, "rp", formOf("token", m["client"]))
		}},
		{"userinfo", "Grant", false, func(h *house, m map[string]string) reply { return h.userinfo(m["access"]) }},
	}
}

// Edge 15, R-6, R-7: with storage out of order no token leaves and nobody is told that
// something happened.
func TestEveryStorageFailureIsSaidAloud(t *testing.T) {
	for _, tc := range breakages() {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			h.client("rp", grace(0))
			h.user("ada", "")
			made := map[string]string{}
			made["used"], _ = h.signIn(params("rp", "scope", "openid offline_access"), "ada")
			first := h.post(h.p.Token, "rp", redeem(made["used"]))
			made["old"], made["access"] = first.get("refresh_token"), first.get("access_token")
			made["refresh"] = h.post(h.p.Token, "rp", refreshOf(made["old"])).get("refresh_token")
			made["client"] = h.post(h.p.Token, "rp", formOf("grant_type", "client_credentials")).get("access_token")
			made["code"], _ = h.signIn(params("rp"), "ada")
			b := h.store
			h.p.clients.Drop()
			b.broken, b.after = tc.broken, tc.after
			got := tc.call(h, made)
			if got.Status != http.StatusServiceUnavailable || got.get("error") != "temporarily_unavailable" || got.Header.Get("Retry-After") == "" {
				t.Errorf("reply = %d %s, want 503 temporarily_unavailable with Retry-After", got.Status, got.Raw)
			}
			for _, name := range []string{"access_token", "refresh_token", "id_token", "active", "sub"} {
				if _, there := got.Body[name]; there {
					t.Errorf("%s left with the failure", name)
				}
			}
			if strings.Contains(got.Raw, "connection reset") {
				t.Error("the cause is told to the caller")
			}
			if !strings.Contains(h.logged.String(), "connection reset by peer") {
				t.Error("the cause is not in the log")
			}
			for name, value := range made {
				if value != "" && strings.Contains(h.logged.String(), value) {
					t.Errorf("the log holds the %s token", name)
				}
			}
			b.broken = ""
			again := h.post(h.p.Token, "rp", redeem(made["code"]))
			if lost := tc.broken == "RedeemCode" && tc.after; (again.Status == http.StatusOK) == lost {
				t.Errorf("the code afterwards = %d %s", again.Status, again.Raw)
			}
		})
	}
}

func TestStorageFailuresOfALogin(t *testing.T) {
	h := newHouse(t)
	h.client("rp", func(c *storage.Client) { c.Consent = "ask" })
	h.user("ada", "")
	id := h.begin(params("rp"), nil).Request
	h.enter(id, "ada", nil)
	b := h.store
	for _, tc := range []struct {
		broken string
		call   func() error
	}{
		{"Client", func() error {
			h.p.clients.Drop()
			_, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, nil)
			return err
		}},
		{"OpenRequest", func() error { _, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, nil); return err }},
		{"Client", func() error {
			h.p.clients.Drop()
			_, err := h.p.Next(h.ctx, Ask{Request: id, Visit: h.visit})
			return err
		}},
		{"Consent", func() error { _, err := h.p.Next(h.ctx, Ask{Request: id, Visit: h.visit}); return err }},
	} {
		b.broken = tc.broken
		if err := tc.call(); !errors.Is(err, errBroken) || mfa.CodeOf(err) != "" {
			t.Errorf("%s broken: %v, want the failure", tc.broken, err)
		}
	}
	b.broken = ""
	h.ok(h.p.Allow(h.ctx, h.next(id, nil), h.visit))
	st := h.next(id, nil)
	b.broken = "FinishRequest"
	if f, err := h.p.Finish(h.ctx, st, h.visit, nil); !errors.Is(err, errBroken) || f.Answer.Location != "" || f.SessionToken != "" {
		t.Errorf("Finish = %+v, %v, want the failure alone", f, err)
	}
	b.broken = ""
	if _, q := h.finish(id, nil); q.Get("code") == "" {
		t.Error("the login cannot be finished afterwards")
	}
}

// A closed database is a failure of every call at once.
func TestAClosedDatabase(t *testing.T) {
	h := newHouse(t)
	h.client("rp")
	h.user("ada", "")
	code, s := h.signIn(params("rp"), "ada")
	h.ok(h.engine.Close())
	if got := h.post(h.p.Token, "rp", redeem(code)); got.Status != 503 || got.get("error") != "temporarily_unavailable" {
		t.Errorf("token = %d %s, want 503", got.Status, got.Raw)
	}
	if _, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, s); err == nil {
		t.Error("Begin succeeded")
	}
	if err := h.p.Poll(h.ctx); err == nil {
		t.Error("Poll succeeded")
	}
	if len(h.p.JWKS().Body) == 0 || len(h.p.Discovery().Body) == 0 {
		t.Error("the documents are gone")
	}
}

func TestErrorsBecomeRegisteredCodes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		code   string
		status int
	}{
		{"invalid_state", fosite.ErrInvalidState, "invalid_request", 400},
		{"insufficient_entropy", fosite.ErrInsufficientEntropy, "invalid_request", 400},
		{"unsupported_response_mode", fosite.ErrUnsupportedResponseMode, "invalid_request", 400},
		{"token_inactive", fosite.ErrInactiveToken, "invalid_grant", 400},
		{"not_found", fosite.ErrNotFound, "invalid_grant", 400},
		{"jti_known", fosite.ErrJTIKnown, "invalid_grant", 400},
		{"scope_not_granted", fosite.ErrScopeNotGranted, "invalid_grant", 400},
		{"misconfiguration", fosite.ErrMisconfiguration, "server_error", 500},
		{"error", fosite.ErrSerializationFailure, "server_error", 500},
		{"request_unauthorized", fosite.ErrRequestUnauthorized, "server_error", 500},
		{"invalid_client", fosite.ErrInvalidClient, "invalid_client", 401},
		{"storage inside fosite", fosite.ErrServerError.WithWrap(&storageFailure{errBroken}), "temporarily_unavailable", 503},
		{"our own", refusal("invalid_target", "x"), "invalid_target", 400},
		{"anything else", errBroken, "server_error", 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := errorOf(tc.err)
			if e.code != tc.code || e.status != tc.status || !registered(e.code) {
				t.Errorf("errorOf = %s %d, want %s %d", e.code, e.status, tc.code, tc.status)
			}
			if strings.Contains(e.description, "reset") {
				t.Error("the description tells the cause")
			}
		})
	}
}
