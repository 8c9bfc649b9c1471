package passkey_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/passkey"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

const (
	rpID   = "login.example.com"
	origin = "https://login.example.com"
	ttl    = 5 * time.Minute
)

// holders finds accounts by the Credential of an authenticator.
type holders []*storage.Account

func (h *holders) AccountByCredential(_ context.Context, credential []byte) (storage.Account, error) {
	for _, a := range *h {
		if slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool { return slices.Equal(x.Credential, credential) }) {
			return *a, nil
		}
	}
	return storage.Account{}, storage.ErrNotFound
}

// world is a site with a method, and accounts with their devices.
type world struct {
	*passkey.Method
	t       *testing.T
	keyring *seal.Keyring
	holders *holders
	devices map[storage.UserID]*passkeytest.Device
}

func newWorld(t *testing.T) *world {
	t.Helper()
	keyring, _ := storagetest.Keyring(t, methodtest.Now)
	w := &world{t: t, keyring: keyring, holders: &holders{}, devices: map[storage.UserID]*passkeytest.Device{}}
	w.Method = w.site(rpID, origin)
	return w
}

// site returns a method for an RP ID and origins.
func (w *world) site(rpID string, origins ...string) *passkey.Method {
	w.t.Helper()
	m, err := passkey.New(w.holders, w.keyring, rand.Reader, passkey.Options{Product: "Sallyport", RPID: rpID, Origins: origins, TTL: ttl, Enroll: 2 * ttl})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// enroll enrols a device for an account, and returns the proof.
func (w *world) enroll(a *storage.Account, d *passkeytest.Device) (mfa.Proof, error) {
	w.t.Helper()
	x, handout, err := w.Enroll(w.t.Context(), mfa.Holder{Account: *a, Label: "ada@example.com"})
	if err != nil {
		w.t.Fatal(err)
	}
	x.ID, x.UserID, x.State = storage.AuthenticatorID(storage.Random128(rand.Reader)), a.User.ID, storage.AuthenticatorPending
	r, err := d.Create(handout.Options)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.Finish(w.t.Context(), mfa.Attempt{Account: a, Authenticator: &x, Usage: mfa.UsageEnroll, Now: methodtest.Now}, nil, r)
	if err != nil {
		return p, err
	}
	x.State, x.Secret, x.Data, x.Counter, x.Credential = storage.AuthenticatorActive, p.Spend.Secret, p.Spend.Data, p.Spend.Step, p.Spend.Credential
	a.Authenticators = append(a.Authenticators, x)
	return p, nil
}

// account returns an account with a passkey.
func (w *world) account(id storage.UserID) *storage.Account {
	w.t.Helper()
	a, d := methodtest.Account(id), passkeytest.New(rpID, origin)
	d.Counts = true
	if _, err := w.enroll(a, d); err != nil {
		w.t.Fatal(err)
	}
	w.devices[id] = d
	*w.holders = append(*w.holders, a)
	return a
}

func TestAPasskeyKeepsTheContract(t *testing.T) {
	for _, usage := range []string{mfa.UsageFirst, mfa.UsageSecond} {
		methodtest.Run(t, func(t *testing.T) methodtest.Fixture {
			w := newWorld(t)
			owner, other := w.account("owner"), w.account("other")
			answer := func(t *testing.T, who *storage.Account, c mfa.Challenge, _ time.Time) mfa.Response {
				return w.devices[who.User.ID].Force(asked(t, c))
			}
			return methodtest.Fixture{Method: w.Method, Owner: owner, Other: other, Usage: usage, Now: methodtest.Now, Late: ttl,
				FindsUser: usage == mfa.UsageFirst, Answer: answer,
				Wrong: func(t *testing.T, c mfa.Challenge) mfa.Response {
					stranger := passkeytest.New(rpID, origin)
					stranger.Credential.ID = w.devices["owner"].Credential.ID
					return stranger.Force(asked(t, c))
				},
				Malformed: []mfa.Response{nil, mfa.Typed("x"), mfa.Response("{}"), mfa.Response(`{"id":"AA","rawId":"AA","type":"public-key","response":{}}`),
					mfa.Response(`"` + string(make([]byte, 40<<10)) + `"`)}}
		})
	}
}

func TestAnEnrolmentAsksForADiscoverablePasskey(t *testing.T) {
	w := newWorld(t)
	a := w.account("owner")
	_, h, err := w.Enroll(t.Context(), mfa.Holder{Account: *a, Label: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		RP                     struct{ ID, Name string }
		User                   struct{ ID, Name, DisplayName string }
		Challenge              string
		PubKeyCredParams       []struct{ Alg int }
		ExcludeCredentials     []struct{ ID string }
		AuthenticatorSelection struct{ ResidentKey, UserVerification string }
		Attestation            string
		Extensions             map[string]any
	}
	if err := json.Unmarshal(h.Options, &o); err != nil {
		t.Fatal(err)
	}
	if o.RP.ID != rpID || o.RP.Name != "Sallyport" || o.User.Name != "ada@example.com" || o.User.ID == "" || len(o.Challenge) < 22 ||
		len(o.PubKeyCredParams) != 4 || o.PubKeyCredParams[0].Alg != -7 || len(o.ExcludeCredentials) != 1 ||
		o.AuthenticatorSelection.ResidentKey != "preferred" || o.AuthenticatorSelection.UserVerification != "preferred" ||
		o.Attestation != "none" || o.Extensions["credProps"] != true {
		t.Errorf("creation options: %s", h.Options)
	}
}

// Conformance (Authentication methods): RFC 8176 2: a passkey is `pop` and `user`, and `swk` if it can be backed up
func TestWhatAPasskeyCountsFor(t *testing.T) {
	for name, tc := range map[string]struct {
		enrolled, used, synced bool
		kinds                  []storage.Kind
		amr                    []string
		level                  mfa.Level
	}{
		"with user verification":         {true, true, false, []storage.Kind{storage.Have, storage.Are}, []string{"mfa", "pop", "user"}, mfa.PHR},
		"backed up":                      {true, true, true, []storage.Kind{storage.Have, storage.Are}, []string{"mfa", "pop", "swk", "user"}, mfa.PHR},
		"without it this time":           {true, false, false, []storage.Kind{storage.Have}, []string{"pop", "user"}, mfa.AAL1},
		"with it, enrolled without it":   {false, true, false, []storage.Kind{storage.Have}, []string{"pop", "user"}, mfa.AAL1},
		"a security key without a PIN":   {false, false, false, []storage.Kind{storage.Have}, []string{"pop", "user"}, mfa.AAL1},
		"backed up, without it any more": {true, false, true, []storage.Kind{storage.Have}, []string{"pop", "swk", "user"}, mfa.AAL1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, d := methodtest.Account("owner"), passkeytest.New(rpID, origin)
			o := &d.Authenticator.Options
			o.UserNotVerified, o.BackupEligible, o.BackupState = !tc.enrolled, tc.synced, tc.synced
			if _, err := w.enroll(a, d); err != nil {
				t.Fatal(err)
			}
			o.UserNotVerified = !tc.used
			begun, err := w.Begin(t.Context(), mfa.Attempt{Account: a, Usage: mfa.UsageFirst, Now: methodtest.Now})
			if err != nil {
				t.Fatal(err)
			}
			p, err := w.Finish(t.Context(), mfa.Attempt{Account: a, Usage: mfa.UsageFirst, Now: methodtest.Now}, begun.State, d.Force(asked(t, begun.Challenge)))
			if err != nil {
				t.Fatal(err)
			}
			level, amr := mfa.Assess([]storage.Factor{{Kinds: p.Kinds, AMR: p.AMR, PhishingResistant: p.PhishingResistant}})
			if !slices.Equal(p.Kinds, tc.kinds) || !slices.Equal(amr, tc.amr) || level != tc.level {
				t.Errorf("kinds %v, amr %v, level %s; want %v, %v, %s", p.Kinds, amr, level, tc.kinds, tc.amr, tc.level)
			}
			// The prompt expects what the passkey showed when it was enrolled.
			expected, _ := mfa.Assess([]storage.Factor{mfa.FactorOf(w.Info(), a)})
			if want := map[bool]mfa.Level{true: mfa.PHR, false: mfa.AAL1}[tc.enrolled]; expected != want {
				t.Errorf("the prompt expects %s, want %s", expected, want)
			}
		})
	}
}
