package passkey_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"sallyport/mfa"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/passkey"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/storage"
)

// asked reads request options.
func asked(t *testing.T, c mfa.Challenge) virtualwebauthn.AssertionOptions {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(string(c))
	if err != nil {
		t.Fatal(err)
	}
	return *o
}

// Of a right response, one thing is changed at a time.
func TestAHostileResponseProvesNothing(t *testing.T) {
	right := mfa.Attempt{Usage: mfa.UsageFirst, Login: "request/0", Now: methodtest.Now}
	for name, tc := range map[string]struct {
		want    mfa.Code
		attempt func(a *mfa.Attempt)                             // of the response
		device  func(d *passkeytest.Device)                      // before it answers
		client  func(clientData map[string]any, authData []byte) // before it is signed
		text    func(r string) string                            // after it is signed
		world   func(w *world, owner, other *storage.Account)    // between challenge and response
	}{
		"nothing changed":             {},
		"another origin":              {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Site.Origin = "https://login.example.com.evil.example" }},
		"a subdomain":                 {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Site.Origin = "https://x.login.example.com" }},
		"the origin without TLS":      {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Site.Origin = "http://login.example.com" }},
		"another RP ID":               {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Site.ID = "example.com" }},
		"another key":                 {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Credential.Key = passkeytest.New(rpID, origin).Credential.Key }},
		"another user's handle":       {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Authenticator.Options.UserHandle = []byte("other") }},
		"without user presence":       {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Authenticator.Options.UserNotPresent = true }},
		"backup eligible all at once": {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Authenticator.Options.BackupEligible = true }},
		"backed up, but not eligible": {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Authenticator.Options.BackupState = true }},
		"in another login":            {want: mfa.InvalidCredentials, attempt: func(a *mfa.Attempt) { a.Login = "another/0" }},
		"in the login restarted":      {want: mfa.InvalidCredentials, attempt: func(a *mfa.Attempt) { a.Login = "request/1" }},
		"as a second factor":          {want: mfa.InvalidPasscode, attempt: func(a *mfa.Attempt) { a.Usage = mfa.UsageSecond }},
		"just in time":                {attempt: func(a *mfa.Attempt) { a.Now = a.Now.Add(ttl - time.Microsecond) }},
		"too late":                    {want: mfa.PasscodeExpired, attempt: func(a *mfa.Attempt) { a.Now = a.Now.Add(ttl) }},
		"a response to a creation":    {want: mfa.InvalidCredentials, client: func(c map[string]any, _ []byte) { c["type"] = "webauthn.create" }},
		"in a frame of another site":  {want: mfa.InvalidCredentials, client: func(c map[string]any, _ []byte) { c["crossOrigin"] = true }},
		"an invented challenge":       {want: mfa.InvalidCredentials, client: func(c map[string]any, _ []byte) { c["challenge"] = strings.Repeat("A", 75) }},
		"a challenge dated later": {want: mfa.InvalidCredentials, client: func(c map[string]any, _ []byte) {
			b, _ := base64.RawURLEncoding.DecodeString(c["challenge"].(string))
			b[5]++
			c["challenge"] = base64.RawURLEncoding.EncodeToString(b)
		}},
		"a challenge in another spelling": {want: mfa.InvalidCredentials, client: func(c map[string]any, _ []byte) { c["challenge"] = c["challenge"].(string) + "=" }},
		"user verification added without a signature": {want: mfa.InvalidCredentials, text: func(r string) string {
			return changePart(r, "authenticatorData", func(b []byte) { b[32] |= 4 })
		}, device: func(d *passkeytest.Device) { d.Authenticator.Options.UserNotVerified = true }},
		"a counter raised without a signature": {want: mfa.InvalidCredentials, text: func(r string) string {
			return changePart(r, "authenticatorData", func(b []byte) { b[36] = 200 })
		}},
		"a longer authenticator data": {want: mfa.InvalidRequest, text: func(r string) string {
			return strings.Replace(r, `"authenticatorData":"`, `"authenticatorData":"AAAA`, 1)[:len(r)-8]
		}},
		"another type of credential": {want: mfa.InvalidRequest, text: func(r string) string { return strings.Replace(r, `"public-key"`, `"password"`, 1) }},
		"two IDs":                    {want: mfa.InvalidRequest, text: func(r string) string { return strings.Replace(r, `"id":"`, `"id":"AAAA`, 1) }},
		"a giant":                    {want: mfa.InvalidRequest, text: func(r string) string { return r[:len(r)-1] + `,"x":"` + strings.Repeat("x", 40<<10) + `"}` }},
		"the passkey removed":        {want: mfa.InvalidCredentials, world: func(_ *world, owner, _ *storage.Account) { owner.Authenticators = nil }},
		"the passkey disabled": {want: mfa.InvalidCredentials, world: func(_ *world, owner, _ *storage.Account) {
			owner.Authenticators[0].State = storage.AuthenticatorDisabled
		}},
		"the user disabled": {want: mfa.InvalidCredentials, world: func(_ *world, owner, _ *storage.Account) { owner.User.Status = storage.UserDisabled }},
		"moved to another user": {want: mfa.InvalidCredentials, world: func(_ *world, owner, other *storage.Account) {
			other.Authenticators, owner.Authenticators = owner.Authenticators, nil
		}},
		"a record that does not open": {want: mfa.InvalidCredentials, world: func(_ *world, owner, _ *storage.Account) { owner.Authenticators[0].Secret = nil }},
		"the site has another RP ID":  {want: mfa.InvalidCredentials, device: func(d *passkeytest.Device) { d.Site.ID = "example.com" }, world: func(w *world, _, _ *storage.Account) { w.Method = w.site("example.com", origin) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			owner, other := w.account("owner"), w.account("other")
			begun, err := w.Begin(t.Context(), right)
			if err != nil {
				t.Fatal(err)
			}
			d := w.devices["owner"]
			if tc.device != nil {
				tc.device(d)
			}
			r := d.Force(asked(t, begun.Challenge))
			if tc.client != nil {
				if r, err = d.Change(r, tc.client); err != nil {
					t.Fatal(err)
				}
			}
			if tc.text != nil {
				r = mfa.Response(tc.text(string(r)))
			}
			a := right
			if tc.attempt != nil {
				tc.attempt(&a)
			}
			if a.Usage == mfa.UsageSecond {
				a.Account = owner
			}
			if tc.world != nil {
				tc.world(w, owner, other)
			}
			p, err := w.Finish(t.Context(), a, nil, r)
			if mfa.CodeOf(err) != tc.want || (err == nil) != (tc.want == "") {
				t.Errorf("Finish = %+v, %v; want %q", p, err, tc.want)
			}
			if tc.want == "" && p.User != "owner" {
				t.Errorf("user %q, want the owner", p.User)
			}
		})
	}
}

func changePart(r, name string, change func([]byte)) string {
	var all map[string]any
	if json.Unmarshal([]byte(r), &all) != nil {
		return ""
	}
	part := all["response"].(map[string]any)
	b, _ := base64.RawURLEncoding.DecodeString(part[name].(string))
	change(b)
	part[name] = base64.RawURLEncoding.EncodeToString(b)
	out, _ := json.Marshal(all)
	return string(out)
}

func TestAHostileEnrolmentIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		want   mfa.Code
		device func(d *passkeytest.Device)
		text   func(r string) string
	}{
		"nothing changed":     {},
		"without a gesture":   {want: mfa.InvalidPasscode, device: func(d *passkeytest.Device) { d.Authenticator.Options.UserNotPresent = true }},
		"another origin":      {want: mfa.InvalidPasscode, device: func(d *passkeytest.Device) { d.Site.Origin = "https://evil.example" }},
		"another RP ID":       {want: mfa.InvalidPasscode, device: func(d *passkeytest.Device) { d.Site.ID = "evil.example" }},
		"backed up only":      {want: mfa.InvalidPasscode, device: func(d *passkeytest.Device) { d.Authenticator.Options.BackupState = true }},
		"a credential in use": {want: mfa.AlreadyEnrolled, device: func(d *passkeytest.Device) { d.Credential.ID = []byte("taken by another") }},
		"an RSA key, in CBOR": {device: func(d *passkeytest.Device) { d.Credential = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA) }},
		"no attestation":      {want: mfa.InvalidRequest, text: func(r string) string { return strings.Replace(r, "attestationObject", "x", 1) }},
		"broken CBOR":         {want: mfa.InvalidRequest, text: func(r string) string { return changePart(r, "attestationObject", func(b []byte) { b[0] = 0xff }) }},
		"CBOR without an end": {want: mfa.InvalidRequest, text: func(r string) string {
			return changePart(r, "attestationObject", func(b []byte) { copy(b, []byte{0xbf, 0x9f, 0x9f, 0x9f}) })
		}},
		"a list of 2^60 items": {want: mfa.InvalidRequest, text: func(r string) string {
			return changePart(r, "attestationObject", func(b []byte) { copy(b, []byte{0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0}) })
		}},
		"an unsupported algorithm": {want: mfa.InvalidPasscode, text: func(r string) string {
			// alg -7 of the COSE key becomes -9 (ESP256, which was not offered).
			return changePart(r, "attestationObject", func(b []byte) {
				if i := bytes.LastIndex(b, []byte{0x03, 0x26, 0x20, 0x01}); i >= 0 {
					b[i+1] = 0x28
				}
			})
		}},
		"a giant": {want: mfa.InvalidRequest, text: func(r string) string { return r[:len(r)-1] + `,"x":"` + strings.Repeat("x", 40<<10) + `"}` }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			taken := passkeytest.New(rpID, origin)
			taken.Credential.ID = []byte("taken by another")
			other := methodtest.Account("other")
			if _, err := w.enroll(other, taken); err != nil {
				t.Fatal(err)
			}
			*w.holders = append(*w.holders, other)
			d := passkeytest.New(rpID, origin)
			if tc.device != nil {
				tc.device(d)
			}
			a := methodtest.Account("owner")
			x, h, err := w.Enroll(t.Context(), mfa.Holder{Account: *a})
			if err != nil {
				t.Fatal(err)
			}
			x.ID, x.UserID, x.State = "pending", "owner", storage.AuthenticatorPending
			r, err := d.Create(h.Options)
			if err != nil {
				t.Fatal(err)
			}
			if tc.text != nil {
				r = mfa.Response(tc.text(string(r)))
			}
			_, err = w.Finish(t.Context(), mfa.Attempt{Account: a, Authenticator: &x, Usage: mfa.UsageEnroll, Now: methodtest.Now}, nil, r)
			if mfa.CodeOf(err) != tc.want || (err == nil) != (tc.want == "") {
				t.Errorf("Finish = %v, want %q", err, tc.want)
			}
		})
	}
}

// Conditional mediation makes passkeys without user presence; amr does not claim it then.
func TestAnUnaskedPasskeyShowsNoPresence(t *testing.T) {
	for _, gesture := range []bool{false, true} {
		w := newWorld(t)
		a, d := methodtest.Account("owner"), passkeytest.New(rpID, origin)
		d.Authenticator.Options.UserNotPresent = !gesture
		x, h, err := w.Enroll(t.Context(), mfa.Holder{Account: *a, Unasked: true})
		if err != nil {
			t.Fatal(err)
		}
		x.ID, x.UserID, x.State = "pending", "owner", storage.AuthenticatorPending
		r, err := d.Create(h.Options)
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.Finish(t.Context(), mfa.Attempt{Account: a, Authenticator: &x, Usage: mfa.UsageEnroll, Now: methodtest.Now}, nil, r)
		if err != nil || slices.Contains(p.AMR, "user") != gesture {
			t.Errorf("gesture %v: %v, amr %v", gesture, err, p.AMR)
		}
	}
}

// Whoever enrols the listed ID of a name is told the same whether it is a passkey or a decoy.
func TestADecoyIsEnrolledLikeThePasskeyOfAnother(t *testing.T) {
	w := newWorld(t)
	w.account("owner")
	ids := [][]byte{w.devices["owner"].Credential.ID}
	for i := range 20 {
		b, err := w.Begin(t.Context(), mfa.Attempt{Usage: mfa.UsageFirst, Name: []byte{byte(i)}, Now: methodtest.Now})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range asked(t, b.Challenge).AllowCredentials {
			id, err := base64.RawURLEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		d := passkeytest.New(rpID, origin)
		d.Credential.ID = id
		if _, err := w.enroll(methodtest.Account("bare"), d); mfa.CodeOf(err) != mfa.AlreadyEnrolled {
			t.Errorf("an ID of %d bytes: %v, want %s", len(id), err, mfa.AlreadyEnrolled)
		}
	}
}

func TestNoDomainNoPasskeys(t *testing.T) {
	for _, id := range []string{"", "127.0.0.1", "::1", "https://login.example.com", "login.example.com:443"} {
		if _, err := passkey.New(&holders{}, nil, nil, passkey.Options{RPID: id, Origins: []string{origin}, Product: "x"}); err == nil {
			t.Errorf("RP ID %q is accepted", id)
		}
	}
}

func TestNamesWithoutPasskeysGetInventedOnes(t *testing.T) {
	w := newWorld(t)
	begin := func(a mfa.Attempt) []string {
		a.Usage, a.Now = mfa.UsageFirst, methodtest.Now
		b, err := w.Begin(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		return asked(t, b.Challenge).AllowCredentials
	}
	if got := begin(mfa.Attempt{}); len(got) != 0 {
		t.Errorf("without a name: %v, want no list", got)
	}
	owner := w.account("owner")
	if got := begin(mfa.Attempt{Account: owner, Name: []byte("owner")}); len(got) != 1 || got[0] != base64.RawURLEncoding.EncodeToString(w.devices["owner"].Credential.ID) {
		t.Errorf("of a user: %v, want the passkey", got)
	}
	counts, seen := map[int]int{}, map[string]bool{}
	for i := range 400 {
		name := []byte{byte(i), byte(i >> 8)}
		got := begin(mfa.Attempt{Name: name})
		bare := begin(mfa.Attempt{Account: methodtest.Account("bare"), Name: name})
		if strings.Join(got, " ") != strings.Join(bare, " ") || strings.Join(got, " ") != strings.Join(begin(mfa.Attempt{Name: name}), " ") {
			t.Fatalf("an unknown name gets %v, a user without passkeys %v", got, bare)
		}
		counts[len(got)]++
		for _, id := range got {
			if seen[id] {
				t.Fatalf("two names have %s", id)
			}
			seen[id] = true
		}
	}
	if counts[1] < 200 || counts[2] < 50 || counts[3] == 0 || counts[0] > 0 {
		t.Errorf("lists by length: %v", counts)
	}
}
