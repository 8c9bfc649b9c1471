package passkey_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/passkey"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/storage"
)

var aaguid = [16]byte{0xca, 0xfe, 15: 1}

// maker returns a maker of devices. Attestations are judged by the time of the machine, as the library
// does.
func maker(t *testing.T) *passkeytest.Maker {
	t.Helper()
	m, err := passkeytest.NewMaker(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// trusting makes the world believe attestations by files.
func (w *world) trusting(files passkey.TrustFiles, now func() time.Time) *passkey.Trust {
	w.t.Helper()
	trust, err := passkey.OpenTrust(files, now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Method, err = passkey.New(w.holders, w.keyring, rand.Reader, passkey.Options{Product: "Sallyport", RPID: rpID, Origins: []string{origin}, TTL: ttl, Enroll: 2 * ttl, Trust: trust})
	if err != nil {
		w.t.Fatal(err)
	}
	return trust
}

// attested enrols a device where a key in hardware is demanded, and returns the proof.
func (w *world) attested(a *storage.Account, d *passkeytest.Device, attest func(mfa.Response) (mfa.Response, error)) mfa.Proof {
	w.t.Helper()
	x, h, err := w.Enroll(w.t.Context(), mfa.Holder{Account: *a, Label: "ada@example.com", Hardware: true})
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(h.Options), `"attestation":"direct"`) || !strings.Contains(string(h.Options), `"userVerification":"required"`) {
		w.t.Errorf("creation options: %s", h.Options)
	}
	x.ID, x.UserID, x.State = storage.AuthenticatorID(storage.Random128(rand.Reader)), a.User.ID, storage.AuthenticatorPending
	r, err := d.Create(h.Options)
	if err == nil && attest != nil {
		r, err = attest(r)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.Finish(w.t.Context(), mfa.Attempt{Account: a, Authenticator: &x, Usage: mfa.UsageEnroll, Now: methodtest.Now}, nil, r)
	if err != nil {
		w.t.Fatalf("enrol: %v", err)
	}
	x.State, x.Secret, x.Data, x.Counter, x.Credential = storage.AuthenticatorActive, p.Spend.Secret, p.Spend.Data, p.Spend.Step, p.Spend.Credential
	a.Authenticators = append(a.Authenticators, x)
	return p
}

// levels returns what a proof reaches at its enrolment, what the prompt expects of the account, and
// what its use reaches now.
func (w *world) levels(a *storage.Account, d *passkeytest.Device, enrolled mfa.Proof) (out [3]mfa.Level) {
	w.t.Helper()
	level := func(p mfa.Proof) mfa.Level {
		l, amr := mfa.Assess([]storage.Factor{{Kinds: p.Kinds, AMR: p.AMR, PhishingResistant: p.PhishingResistant, Hardware: p.Hardware}})
		if slices.Contains(amr, "hwk") != (l == mfa.PHRH) {
			w.t.Errorf("%s with amr %v", l, amr)
		}
		return l
	}
	out[0] = level(enrolled)
	out[1], _ = mfa.Assess([]storage.Factor{mfa.FactorOf(w.Info(), a)})
	begun, err := w.Begin(w.t.Context(), mfa.Attempt{Account: a, Usage: mfa.UsageSecond, Hardware: true, Now: methodtest.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.Finish(w.t.Context(), mfa.Attempt{Account: a, Usage: mfa.UsageSecond, Now: methodtest.Now}, begun.State, d.Force(asked(w.t, begun.Challenge)))
	if err != nil {
		w.t.Fatal(err)
	}
	out[2] = level(p)
	return out
}

// Conformance (Authentication methods): RFC 8176 2: `hwk` is said of a passkey only while an attestation of its model is believed
func TestWhichAttestationsAreBelieved(t *testing.T) {
	known, unknown := maker(t), maker(t)
	packed := func(m *passkeytest.Maker, id [16]byte, years int) func(mfa.Response) (mfa.Response, error) {
		return func(r mfa.Response) (mfa.Response, error) {
			return m.Attest(r, passkeytest.Model{AAGUID: id, Now: time.Now().AddDate(years, 0, 0)})
		}
	}
	right := packed(known, aaguid, 0)
	for name, tc := range map[string]struct {
		attest func(mfa.Response) (mfa.Response, error)
		device func(d *passkeytest.Device)
		want   mfa.Level
		reason string
	}{
		"of a trusted root":              {attest: right, want: mfa.PHRH, reason: "trusted"},
		"of another root":                {attest: packed(unknown, aaguid, 0), want: mfa.PHR, reason: "the certificate leads to no trusted root"},
		"expired":                        {attest: packed(known, aaguid, -3), want: mfa.PHR, reason: "no attestation"},
		"not valid yet":                  {attest: packed(known, aaguid, 3), want: mfa.PHR, reason: "no attestation"},
		"for another model":              {attest: packed(known, [16]byte{7}, 0), want: mfa.PHR, reason: "no attestation"},
		"for no model":                   {attest: packed(known, [16]byte{}, 0), want: mfa.PHR, reason: "the certificate is not one of this model"},
		"by a device without a model":    {attest: packed(known, [16]byte{}, 0), device: func(d *passkeytest.Device) { d.Authenticator.Aaguid = [16]byte{} }, want: mfa.PHR, reason: "the model is not named"},
		"none":                           {attest: passkeytest.AttestNothing, want: mfa.PHR, reason: "no attestation"},
		"of a key that can be backed up": {attest: right, device: func(d *passkeytest.Device) { d.Authenticator.Options.BackupEligible = true }, want: mfa.PHR, reason: "the key can be backed up"},
		"of a key that verifies nobody":  {attest: right, device: func(d *passkeytest.Device) { d.Authenticator.Options.UserNotVerified = true }, want: mfa.AAL1, reason: "the user was not verified"},
		"with a signature of something else": {attest: func(r mfa.Response) (mfa.Response, error) {
			r, err := right(r)
			return mfa.Response(changePart(string(r), "attestationObject", func(b []byte) { b[bytes.Index(b, []byte("csig"))+20] ^= 1 })), err
		}, want: mfa.PHR, reason: "no attestation"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.trusting(passkey.TrustFiles{Roots: write(t, known.PEM())}, time.Now)
			a, d := methodtest.Account("owner"), passkeytest.New(rpID, origin)
			d.Authenticator.Aaguid = aaguid
			if tc.device != nil {
				tc.device(d)
			}
			p := w.attested(a, d, tc.attest)
			if got := w.levels(a, d, p); got != [3]mfa.Level{tc.want, tc.want, tc.want} {
				t.Errorf("enrolled, expected and used: %v, want %s", got, tc.want)
			}
			if len(p.Findings) != 1 || p.Findings[0].Event != mfa.EventPasskeyAttested || p.Findings[0].Reason != tc.reason {
				t.Errorf("findings %+v, want %q", p.Findings, tc.reason)
			}
		})
	}
	t.Run("by the key itself", func(t *testing.T) {
		w := newWorld(t)
		w.trusting(passkey.TrustFiles{Roots: write(t, known.PEM())}, time.Now)
		a, d := methodtest.Account("owner"), passkeytest.New(rpID, origin)
		d.Authenticator.Aaguid = aaguid
		p := w.attested(a, d, d.AttestItself)
		if got := w.levels(a, d, p); got[2] != mfa.PHR || p.Findings[0].Reason != "the key vouches for itself" {
			t.Errorf("levels %v, findings %+v", got, p.Findings)
		}
	})
}

// WebAuthn Level 3 section 8.3: a key in a TPM is in hardware if its maker is trusted, and the chip certifies this very key.
func TestAttestationsOfATPM(t *testing.T) {
	known, unknown := maker(t), maker(t)
	for name, tc := range map[string]struct {
		tpm    passkeytest.TPM
		want   mfa.Level
		reason string
	}{
		"of a trusted maker": {passkeytest.TPM{Maker: known, Now: time.Now()}, mfa.PHRH, "trusted"},
		"of another maker":   {passkeytest.TPM{Maker: unknown, Now: time.Now()}, mfa.PHR, "the certificate leads to no trusted root"},
		"of another key":     {passkeytest.TPM{Maker: known, Now: time.Now(), Other: true}, mfa.PHR, "no attestation"},
		"expired":            {passkeytest.TPM{Maker: known, Now: time.Now().AddDate(-3, 0, 0)}, mfa.PHR, "no attestation"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.trusting(passkey.TrustFiles{Roots: write(t, known.PEM())}, time.Now)
			a, d := methodtest.Account("owner"), passkeytest.New(rpID, origin)
			d.Authenticator.Aaguid = aaguid
			p := w.attested(a, d, func(r mfa.Response) (mfa.Response, error) { return tc.tpm.Attest(d, r) })
			if got := w.levels(a, d, p); got[0] != tc.want || got[2] != tc.want || p.Findings[0].Reason != tc.reason {
				t.Errorf("levels %v, findings %+v; want %s, %q", got, p.Findings, tc.want, tc.reason)
			}
		})
	}
}

// A key that lost its trust has lost it everywhere: for the prompt, for its next use and for what its
// sessions hold.
func TestTrustEndsAtOnce(t *testing.T) {
	w, m := newWorld(t), maker(t)
	path := write(t, m.PEM())
	trust := w.trusting(passkey.TrustFiles{Roots: path}, time.Now)
	a, d := methodtest.Account("owner"), passkeytest.New(rpID, origin)
	d.Authenticator.Aaguid = aaguid
	p := w.attested(a, d, func(r mfa.Response) (mfa.Response, error) {
		return m.Attest(r, passkeytest.Model{AAGUID: aaguid, Now: time.Now()})
	})
	held := storage.Factor{Method: passkey.Name, Authenticator: a.Authenticators[len(a.Authenticators)-1].ID, Kinds: p.Kinds, AMR: p.AMR,
		PhishingResistant: p.PhishingResistant, Hardware: p.Hardware, At: methodtest.Now}
	session := func() mfa.Verdict {
		return mfa.Require(mfa.Policy{MFA: mfa.MFAHardware}, a, []storage.Factor{held}, mfa.Requirements{}, []mfa.Info{w.Info()}, methodtest.Now)
	}
	if v := session(); v.Need != mfa.NeedNothing || v.ACR != mfa.PHRH {
		t.Fatalf("with trust: %+v", v)
	}
	if err := os.WriteFile(path, maker(t).PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trust.Load(); err != nil {
		t.Fatal(err)
	}
	if got := w.levels(a, d, mfa.Proof{Kinds: p.Kinds, PhishingResistant: true}); got[1] != mfa.PHR || got[2] != mfa.PHR {
		t.Errorf("expected and used: %v, want phr", got[1:])
	}
	if v := session(); v.Need != mfa.NeedEnroll || v.ACR != mfa.PHR {
		t.Errorf("of a session: %+v, want to enrol another, and phr", v)
	}
	if err := os.WriteFile(path, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trust.Load(); err == nil {
		t.Error("a file without certificates is read")
	}
}

// blob returns metadata of the model, signed by a maker.
func blob(t *testing.T, service *passkeytest.Maker, vendor *passkeytest.Maker, next time.Time, protection string, statuses ...string) []byte {
	t.Helper()
	text, err := service.Metadata(passkeytest.Entry{AAGUID: aaguid, Root: vendor.Root, Protection: protection, Statuses: statuses}, next, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestMetadataDecideWhichModelsAreBelieved(t *testing.T) {
	vendor, service := maker(t), maker(t)
	now := time.Now()
	for name, tc := range map[string]struct {
		protection string
		statuses   []string
		next       time.Time // when the successor is due
		roots      bool      // the operator trusts the maker as well
		want       mfa.Level
	}{
		"keys in hardware":                      {protection: "hardware", next: now.AddDate(0, 0, 20), want: mfa.PHRH},
		"keys in software":                      {protection: "software", next: now.AddDate(0, 0, 20), roots: true, want: mfa.PHR},
		"a model that was revoked":              {protection: "hardware", statuses: []string{"REVOKED"}, next: now.AddDate(0, 0, 20), roots: true, want: mfa.PHR},
		"a model whose keys leaked":             {protection: "hardware", statuses: []string{"ATTESTATION_KEY_COMPROMISE", "UPDATE_AVAILABLE"}, next: now.AddDate(0, 0, 20), roots: true, want: mfa.PHR},
		"metadata three weeks overdue":          {protection: "hardware", next: now.AddDate(0, 0, -21), want: mfa.PHRH},
		"metadata five weeks overdue":           {protection: "hardware", next: now.AddDate(0, 0, -35), want: mfa.PHR},
		"overdue, and the operator trusts them": {protection: "hardware", next: now.AddDate(0, 0, -35), roots: true, want: mfa.PHRH},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			files := passkey.TrustFiles{Metadata: write(t, blob(t, service, vendor, tc.next, tc.protection, tc.statuses...)), MetadataRoot: write(t, service.PEM())}
			if tc.roots {
				files.Roots = write(t, vendor.PEM())
			}
			trust := w.trusting(files, time.Now)
			a, d := methodtest.Account("owner"), passkeytest.New(rpID, origin)
			d.Authenticator.Aaguid = aaguid
			p := w.attested(a, d, func(r mfa.Response) (mfa.Response, error) {
				return vendor.Attest(r, passkeytest.Model{AAGUID: aaguid, Now: now})
			})
			if got := w.levels(a, d, p); got != [3]mfa.Level{tc.want, tc.want, tc.want} {
				t.Errorf("enrolled, expected and used: %v, want %s", got, tc.want)
			}
			if overdue := tc.next.Before(now); overdue == trust.Stale().IsZero() {
				t.Errorf("stale %s, overdue %v", trust.Stale(), overdue)
			}
		})
	}
}

func TestMetadataAreVerified(t *testing.T) {
	vendor, service := maker(t), maker(t)
	right := blob(t, service, vendor, time.Now(), "hardware")
	root := write(t, service.PEM())
	parts := strings.Split(string(right), ".")
	for name, tc := range map[string]struct {
		text []byte
		root string
		want string // in the error; "": it is read
	}{
		"right":                    {text: right, root: root},
		"of another root":          {text: right, root: write(t, vendor.PEM()), want: "unknown authority"},
		"not of the FIDO Alliance": {text: right, want: "unknown authority"},
		"changed":                  {text: []byte(parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"no":2,"nextUpdate":"2040-01-01","entries":[]}`)) + "." + parts[2]), root: root, want: "the signature is wrong"},
		"not signed":               {text: []byte(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."), root: root, want: "names no certificate"},
		"a page":                   {text: []byte("<html>"), root: root, want: "is no signed BLOB"},
	} {
		_, err := passkey.OpenTrust(passkey.TrustFiles{Metadata: write(t, tc.text), MetadataRoot: tc.root}, time.Now)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// Browsers warn of an attestation, so it is asked for only where it is of use.
func TestAttestationIsAskedForWhereItIsDemanded(t *testing.T) {
	m := maker(t)
	for name, tc := range map[string]struct {
		trust, always, demanded bool
		want                    string
	}{
		"without trust":         {demanded: true, want: "none"},
		"demanded":              {trust: true, demanded: true, want: "direct"},
		"not demanded":          {trust: true, want: "none"},
		"of everybody":          {trust: true, always: true, want: "direct"},
		"of everybody, by none": {always: true, want: "none"},
	} {
		w := newWorld(t)
		o := passkey.Options{Product: "Sallyport", RPID: rpID, Origins: []string{origin}, TTL: ttl, Enroll: ttl, Attest: tc.always}
		if tc.trust {
			o.Trust = w.trusting(passkey.TrustFiles{Roots: write(t, m.PEM())}, time.Now)
		}
		method, err := passkey.New(w.holders, w.keyring, rand.Reader, o)
		if err != nil {
			t.Fatal(err)
		}
		_, h, err := method.Enroll(t.Context(), mfa.Holder{Account: *methodtest.Account("owner"), Hardware: tc.demanded})
		if err != nil || !strings.Contains(string(h.Options), `"attestation":"`+tc.want+`"`) {
			t.Errorf("%s: %v, %s; want %s", name, err, h.Options, tc.want)
		}
	}
}
