package relational_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"sallyport/storage"
)

// TestInvalidJSONIsNotStored: a record that JSON cannot represent is not stored.
func TestInvalidJSONIsNotStored(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		l := newLogin()
		user := storage.User{ID: l.user, Status: storage.UserActive, Profile: map[string]any{"height": math.NaN()}, CreatedAt: t0, UpdatedAt: t0}
		if err := e.CreateUser(t.Context(), storage.NewUser{User: user}); err == nil {
			t.Error("a profile with NaN was stored")
		}
		if _, err := e.Account(t.Context(), l.user); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the user: %v, want not found", err)
		}
		user.Profile = nil
		if err := e.CreateUser(t.Context(), storage.NewUser{User: user}); err != nil {
			t.Fatal(err)
		}
		grant := l.grant
		grant.Authorization.Claims = json.RawMessage(`{}]`)
		if err := e.FinishRequest(t.Context(), storage.Finish{Now: t0, Grant: &grant}); err == nil {
			t.Error("a grant with broken claims was stored")
		}
		if _, err := e.Grant(t.Context(), grant.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the grant: %v, want not found", err)
		}
	})
}
