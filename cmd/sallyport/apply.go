package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/storage"
)

// applied says what apply changed.
type applied struct{ ClientsCreated, ClientsChanged, UsersCreated int }

// apply brings the database to a desired state: missing clients and users are made,
// clients that differ are replaced. Users that exist are left alone, because they own
// their passwords; clients that are not named stay. Doing it twice changes nothing.
func (h *house) apply(ctx context.Context, s config.State) (applied, error) {
	var done applied
	for i := range s.Clients {
		created, changed, err := h.applyClient(ctx, &s.Clients[i])
		if err != nil {
			return done, fmt.Errorf("client %q: %w", s.Clients[i].ID, err)
		}
		done.ClientsCreated += created
		done.ClientsChanged += changed
	}
	for i := range s.Users {
		created, err := h.applyUser(ctx, &s.Users[i])
		if err != nil {
			return done, fmt.Errorf("user %d: %w", i+1, err)
		}
		done.UsersCreated += created
	}
	return done, nil
}

func (h *house) applyClient(ctx context.Context, c *config.Client) (created, changed int, err error) {
	want, err := newClient(c)
	if err != nil {
		return 0, 0, err
	}
	have, err := h.store.Client(ctx, want.ID)
	kind := mfa.EventClientChanged
	switch {
	case errors.Is(err, storage.ErrNotFound):
		kind, want.CreatedAt, created = mfa.EventClientCreated, h.now(), 1
	case err != nil:
		return 0, 0, fmt.Errorf("read: %w", err)
	case sameClient(have, want):
		return 0, 0, nil
	default:
		want.CreatedAt, changed = have.CreatedAt, 1
	}
	want.UpdatedAt = h.now()
	event := h.journal.Event(mfa.Visit{}, storage.Event{Kind: kind, Actor: "admin", ClientID: want.ID})
	if err := h.store.PutClient(ctx, want, []storage.Event{event}); err != nil {
		return 0, 0, fmt.Errorf("store: %w", err)
	}
	return created, changed, nil
}

// sameClient compares everything but the times.
func sameClient(a, b storage.Client) bool {
	a.CreatedAt, a.UpdatedAt, b.CreatedAt, b.UpdatedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func newClient(c *config.Client) (storage.Client, error) {
	out := storage.Client{
		ID: storage.ClientID(c.ID), Name: c.Name, Disabled: c.Disabled, Public: c.Public, Native: c.Native,
		AuthMethod: c.AuthMethod, RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		AllowedOrigins: c.AllowedOrigins, GrantTypes: c.GrantTypes, ResponseTypes: c.ResponseTypes, Scopes: c.Scopes,
		Audience: c.Audience, PKCEOptional: c.PKCEOptional, Profile: c.Profile,
		MFA: c.MFA, MFAInterval: seconds(c.MFAInterval), AllowedMethods: c.AllowedMethods,
		Passwordless: c.Passwordless, HeadlessLogin: c.HeadlessLogin, Consent: c.Consent,
		LoginURL: c.LoginURL, MFAURL: c.MFAURL, LogoURI: c.LogoURI, PolicyURI: c.PolicyURI, TosURI: c.TosURI, ClientURI: c.ClientURI,
		IDTokenAlg: c.IDTokenAlg, AccessTokenFormat: c.AccessTokenFormat, AccessTokenTTL: seconds(c.AccessTokenTTL),
		RefreshTokenIdleTTL: seconds(c.RefreshIdleTTL), RefreshTokenTTL: seconds(c.RefreshTTL),
		LogoutEndsOffline: c.LogoutEndsOffline, LegacyResponseTypes: c.LegacyTypes,
	}
	if c.RefreshGrace != nil {
		grace := seconds(*c.RefreshGrace)
		out.RefreshGrace = &grace
	}
	if c.Secret != "" {
		sum := sha256.Sum256([]byte(c.Secret))
		out.SecretHashes = [][]byte{sum[:]}
	}
	if c.SecretSHA256 != "" {
		sum, err := hex.DecodeString(c.SecretSHA256)
		if err != nil {
			return storage.Client{}, fmt.Errorf("client_secret_sha256: %w", err)
		}
		out.SecretHashes = [][]byte{sum}
	}
	return out, nil
}

func seconds(d time.Duration) storage.Seconds { return storage.Seconds(d / time.Second) }

func (h *house) applyUser(ctx context.Context, u *config.User) (created int, err error) {
	exists, err := h.userExists(ctx, u)
	if err != nil || exists {
		return 0, err
	}
	_, err = h.users.Create(ctx, mfa.Visit{}, mfa.Draft{
		ID: storage.UserID(u.ID), Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified,
		Phone: u.Phone, PhoneVerified: u.PhoneVerified, Password: u.Password, PasswordHash: u.PasswordHash,
		TOTPSecret: u.TOTPSecret, RecoveryCodes: u.RecoveryCodes, Profile: u.Profile,
		MFAEnabled: u.MFAEnabled, Status: storage.UserStatus(u.Status),
	})
	if err != nil {
		return 0, fmt.Errorf("create: %w", err)
	}
	return 1, nil
}

// userExists reports whether somebody has one of the user's names already.
func (h *house) userExists(ctx context.Context, u *config.User) (bool, error) {
	for _, typed := range []string{u.Username, u.Email, u.Phone} {
		if typed == "" {
			continue
		}
		name, _, err := mfa.Canonical(typed)
		if err != nil {
			return false, err
		}
		_, err = h.store.AccountByIdentifier(ctx, name)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, storage.ErrNotFound) {
			return false, fmt.Errorf("read: %w", err)
		}
	}
	return false, nil
}
