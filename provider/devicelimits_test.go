package provider

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// Conformance (Device authorization): RFC 8628 5.1, 5.2: guesses of codes are limited
func TestCodesOfDevicesAreHardToGuess(t *testing.T) {
	h := newFixture(t)
	h.client("tv", device)
	h.user("ada", "")
	guess := func(code string, v mfa.Caller) mfa.Code {
		t.Helper()
		_, err := h.p.BeginDevice(h.ctx, code, v, nil)
		return mfa.CodeOf(err)
	}
	for _, code := range []string{"", "ABC", "BCDF-GHJ", "BCDF-GHJA", "BCDFGHJKL", strings.Repeat("B", 5000), "BCDFGHJ\x00", "' OR 1=1"} {
		if got := guess(code, h.visit); got != mfa.InvalidPasscode {
			t.Errorf("%q = %s", code, got)
		}
	}
	for range 3 { // right ones are taken back
		if got := guess(h.ask("tv").user, h.visit); got != "" {
			t.Fatalf("a right code = %s", got)
		}
	}
	for i := range 20 {
		if got := guess("BCDF-GHJK", h.visit); got != mfa.InvalidPasscode {
			t.Fatalf("guess %d = %s", i, got)
		}
	}
	codes := h.ask("tv")
	if got := guess(codes.user, h.visit); got != mfa.TooMany {
		t.Errorf("a right code after 20 guesses = %s, want a wait", got)
	}
	elsewhere := h.visit
	elsewhere.Address = "198.51.100.7"
	if got := guess(codes.user, elsewhere); got != "" {
		t.Errorf("from another network = %s", got)
	}
	h.clock.Advance(10 * time.Minute)
	if got := guess(h.ask("tv").user, h.visit); got != "" {
		t.Errorf("after the wait = %s", got)
	}
	// One end site has 65,536 networks of IPv6, and one counter.
	for i := range 20 {
		from := h.visit
		from.Address = "2001:db8:1:" + string(rune('a'+i%6)) + "::" + string(rune('1'+i/6))
		if got := guess("BCDF-GHJK", from); got != mfa.InvalidPasscode {
			t.Fatalf("guess %d of a site = %s", i, got)
		}
	}
	from := h.visit
	from.Address = "2001:db8:1:ff::1"
	if got := guess("BCDF-GHJK", from); got != mfa.TooMany {
		t.Errorf("from another network of the site = %s, want a wait", got)
	}
	if got := h.events(mfa.EventDeviceGuessed); got != 2 {
		t.Errorf("%d events of waits, want 2", got)
	}
}

func TestWhoHasProvenNothingOpensFewRequestsOfDevices(t *testing.T) {
	h := newFixture(t)
	h.admit = func(_ mfa.Caller, name string, amount int) time.Duration {
		if name == budget.Opens && amount > 0 {
			return time.Minute
		}
		return 0
	}
	h.client("tv", device)
	h.client("app", device, public)
	r := h.post(h.p.DeviceAuthorization, "", url.Values{"client_id": {"app"}})
	if r.Status != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "60" {
		t.Errorf("a public client = %d %s", r.Status, r.Raw)
	}
	codes := h.ask("tv") // has authenticated
	// The login of a code is sealed, but finding it is written: a stranger can have codes of their own.
	if _, err := h.p.BeginDevice(h.ctx, codes.user, h.visit, nil); mfa.CodeOf(err) != mfa.TooManyRequests {
		t.Errorf("a login for a device = %v, want %s", err, mfa.TooManyRequests)
	}
	h.admit = func(_ mfa.Caller, name string, amount int) time.Duration {
		if name == budget.Opens {
			return time.Minute // nothing is left
		}
		return 0
	}
	for range 21 { // more than guesses are allowed: none is counted
		if _, err := h.p.BeginDevice(h.ctx, "BCDF-GHJK", h.visit, nil); mfa.CodeOf(err) != mfa.TooManyRequests {
			t.Fatalf("a guess = %v, want %s", err, mfa.TooManyRequests)
		}
	}
	h.admit = nil
	if _, err := h.p.BeginDevice(h.ctx, codes.user, h.visit, nil); err != nil {
		t.Errorf("after the wait = %v", err)
	}
}

// Who never waits is told so until the end, and then that it has come.
func TestWhoPollsTooOftenIsToldTheEnd(t *testing.T) {
	h := newFixture(t)
	h.client("tv", device)
	codes := h.ask("tv")
	for range 130 {
		h.pollNow("tv", codes)
	}
	if r := h.poll("tv", codes); r.get("error") != "slow_down" {
		t.Errorf("poll = %s, want slow_down", r.Raw)
	}
	h.clock.Advance(10 * time.Minute)
	for range 2 {
		if r := h.pollNow("tv", codes); r.get("error") != "expired_token" {
			t.Errorf("expired = %s, want expired_token", r.Raw)
		}
	}
}

// A device may come for its tokens as long as its request lives, however early they were allowed.
func TestWhatWasAllowedEarlyWaitsForTheDevice(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("tv", device)
		h.user("ada", "")
		codes := h.ask("tv")
		_, err := h.allow(h.visited(codes.user, "ada", h.visit), h.visit)
		h.ok(err)
		h.clock.Advance(10*time.Minute - 6*time.Second)
		if r := h.poll("tv", codes); r.Status != 200 {
			h.t.Errorf("in the last second = %d %s", r.Status, r.Raw)
		}
		late := h.ask("tv")
		_, err = h.allow(h.visited(late.user, "ada", h.visit), h.visit)
		h.ok(err)
		h.clock.Advance(10*time.Minute - 5*time.Second)
		if r := h.poll("tv", late); r.get("error") != "expired_token" {
			h.t.Errorf("after it = %d %s", r.Status, r.Raw)
		}
	})
}

// What a device was allowed is its own: the next login of the same client in a browser asks.
func TestConsentToADeviceIsNotRemembered(t *testing.T) {
	h := newFixture(t)
	h.client("both", func(c *storage.Client) {
		c.GrantTypes, c.Consent = append(c.GrantTypes, "authorization_code", clients.DeviceCode), "ask"
	})
	h.user("ada", "")
	f, err := h.allow(h.visited(h.ask("both").user, "ada", h.visit), h.visit)
	h.ok(err)
	s, err := h.sessions.Load(h.ctx, f.SessionToken)
	h.ok(err)
	b, err := h.p.Begin(h.ctx, Params{Query: params("both", "scope", "openid email")}, h.visit, s)
	h.ok(err)
	if b.Finished != nil || b.Step.Kind != StepConsent || len(b.Step.Scopes) != 2 {
		t.Errorf("the next login is at %q for %v, want a question", b.Step.Kind, b.Step.Scopes)
	}
	if got := h.events(mfa.EventConsentGiven); got != 1 {
		t.Errorf("%d events of consent, want 1", got)
	}
}
