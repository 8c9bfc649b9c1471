package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// decoysOf returns the IDs that a name is shown, which is nobody's.
func (h *site) decoysOf(name string) [][]byte {
	h.T.Helper()
	s, err := h.Initiate(h.OpenRequest(), name, exchange.Choice{Method: passkey.Name, Usage: mfa.UsageFirst})
	mfatest.Want(h.T, "initiate", err, "")
	var out [][]byte
	for _, text := range asked(h.T, s.Challenge).AllowCredentials {
		id, err := base64.RawURLEncoding.DecodeString(text)
		mfatest.Want(h.T, "read ID", err, "")
		out = append(out, id)
	}
	return out
}

// A credential is signalled as unknown only where no account
// has it. Whose it is, and whether it was invented for a name, is told by no answer and no statement.
func TestOnlyACredentialThatNoAccountHasIsSignalled(t *testing.T) {
	h := newSite(t)
	create := func(name string) (storage.User, *passkeytest.Device) {
		t.Helper()
		u, d := h.Create(users.Draft{Email: name, EmailVerified: true, Password: mfatest.Password}), passkeytest.New(rpID, origin)
		mfatest.Want(t, "enrol", h.enrol(u.ID, d), "")
		return u, d
	}
	_, ada := create("ada@example.com")
	_, eve := create("eve@example.com")
	off, disabled := create("off@example.com")
	status := storage.UserDisabled
	mfatest.Want(t, "disable", h.Store.UpdateUser(t.Context(), storage.UserChange{ID: off.ID, Status: &status, Now: h.Now()}), "")
	left, deleted := create("left@example.com")
	mfatest.Want(t, "delete", h.Store.DeleteAuthenticator(t.Context(), storage.Removal{UserID: left.ID, Authenticator: h.passkeyOf(left.ID).ID, Now: h.Now()}), "")
	moved, elsewhere := create("moved@example.com")
	x := h.passkeyOf(moved.ID)
	var record map[string]any
	mfatest.Want(t, "read record", json.Unmarshal(x.Secret, &record), "")
	record["rp_id"] = "old.example.com"
	x.Secret, _ = json.Marshal(record)
	mfatest.Want(t, "move", h.Store.PutAuthenticator(t.Context(), x, nil, nil), "")

	forged := func(id []byte) *passkeytest.Device {
		d := passkeytest.New(rpID, origin)
		d.Credential.ID = id
		return d
	}
	type cost struct{ statements, commits int64 }
	costs := map[string]map[cost]string{}
	for name, tc := range map[string]struct {
		device *passkeytest.Device
		want   bool
	}{
		"a user's, signed by another key":                   {forged(ada.Credential.ID), false},
		"another user's":                                    {eve, false},
		"another user's, signed by another key":             {forged(eve.Credential.ID), false},
		"a disabled user's":                                 {disabled, false},
		"of another RP ID":                                  {elsewhere, false},
		"invented for the name":                             {forged(h.decoysOf("nobody@example.com")[0]), false},
		"invented for another name":                         {forged(h.decoysOf("none@example.com")[0]), false},
		"invented for a user without one":                   {forged(h.decoysOf("left@example.com")[0]), false},
		"deleted":                                           {deleted, true},
		"deleted, signed by another key":                    {forged(deleted.Credential.ID), true},
		"never anybody's":                                   {passkeytest.New(rpID, origin), true},
		"never anybody's, of the length of an invented one": {forged(append([]byte("x"), h.decoysOf("nobody@example.com")[0][1:]...)), true},
	} {
		for _, typed := range []string{"", "ada@example.com", "off@example.com", "left@example.com", "nobody@example.com"} {
			if tc.device == eve && typed == "" {
				continue // signs in
			}
			id := h.OpenRequest()
			s, err := h.Initiate(id, typed, exchange.Choice{Method: passkey.Name, Usage: mfa.UsageFirst})
			mfatest.Want(t, "initiate", err, "")
			before := h.Store.Stats()
			_, err = h.Verifier.Verify(t.Context(), h.Caller, exchange.Answer{Exchange: s.Exchange, Method: passkey.Name, Response: tc.device.Force(asked(t, s.Challenge))})
			after := h.Store.Stats()
			mfatest.Want(t, name, err, mfa.InvalidCredentials)
			if costs[typed] == nil {
				costs[typed] = map[cost]string{}
			}
			costs[typed][cost{after.Statements - before.Statements, after.Commits - before.Commits}] += name + "; "
			unknown := mfa.UnknownOf(err)
			if (unknown != nil) != tc.want {
				t.Errorf("%s, typed %q: signalled %s, want %v", name, typed, unknown, tc.want)
			}
			var said struct{ RPID, CredentialID string }
			if unknown != nil && (json.Unmarshal(unknown, &said) != nil || said.RPID != rpID || said.CredentialID != base64.RawURLEncoding.EncodeToString(tc.device.Credential.ID)) {
				t.Errorf("%s: signalled %s", name, unknown)
			}
		}
	}
	for typed, by := range costs {
		if len(by) != 1 {
			t.Errorf("typed %q: statements and commits differ: %v", typed, by)
		}
	}
}
