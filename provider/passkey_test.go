package provider

import (
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/passkey"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/mfa/session"
	"sallyport/storage"
)

// withPasskeys adds the method to the fixture.
func (h *fixture) withPasskeys() { h.withPasskeysBy(nil) }

// withPasskeysBy is withPasskeys, where some of them count as keys in hardware.
func (h *fixture) withPasskeysBy(trust *passkey.Trust) {
	h.t.Helper()
	m, err := passkey.New(h.engine, h.keyring, rand.Reader, passkey.Options{Product: "Sallyport", RPID: "op.example", Origins: []string{issuer},
		TTL: 5 * time.Minute, Enroll: 10 * time.Minute, Trust: trust})
	h.ok(err)
	h.verifier = exchange.NewVerifier(h.engine, h.keyring, h.journal, h.now, rand.Reader, exchange.Options{Product: "Sallyport"},
		h.services.Password, m, h.services.TOTP, h.services.Recovery)
	h.p.verifier = h.verifier
}

// enrol enrols a passkey for a user.
func (h *fixture) enrol(user storage.UserID, change func(d *passkeytest.Device)) *passkeytest.Device {
	h.t.Helper()
	d := passkeytest.New("op.example", issuer)
	d.Counts = true
	if change != nil {
		change(d)
	}
	account, err := h.engine.Account(h.ctx, user)
	h.ok(err)
	at := h.now()
	var factors []storage.Factor
	for _, x := range account.Authenticators {
		i, _ := h.verifier.Info(x.Method)
		f := mfa.FactorOf(i, nil)
		f.Authenticator, f.At = x.ID, at
		factors = append(factors, f)
	}
	e := exchange.SignedIn(mfa.Owner{Account: account, Origin: mfa.OriginAccount, Factors: factors})
	begun, err := h.verifier.Enroll(h.ctx, h.visit, e, exchange.NewFactor{Method: passkey.Name})
	h.ok(err)
	r, err := d.Create(begun.Handout.Options)
	h.ok(err)
	_, err = h.verifier.Confirm(h.ctx, h.visit, e, begun.Exchange, r)
	h.ok(err)
	return d
}

// offer returns what a page shows for a passkey as first factor.
func (h *fixture) offer(id storage.RequestID, name string) mfa.Challenge {
	h.t.Helper()
	st, err := h.p.Next(h.ctx, Ask{Request: id, Identifier: name, MayBeSealed: true, Visit: h.visit})
	h.ok(err)
	o, err := h.verifier.Offer(h.ctx, h.visit, st.Login, exchange.Choice{Method: passkey.Name, Usage: mfa.UsageFirst})
	h.ok(err)
	return o.Challenge
}

// answer posts a response as the first factor.
func (h *fixture) answer(id storage.RequestID, r mfa.Response, s *session.SignedIn) (*Proven, error) {
	st, err := h.p.Next(h.ctx, Ask{Request: id, Credential: passkey.CredentialOf(r), MayBeSealed: true, Visit: h.visit, SignedIn: s})
	if err != nil {
		return nil, err
	}
	if st.Kind != StepIdentify {
		return &Proven{Step: st}, nil
	}
	login, proven := h.p.WithProof(&st, h.visit)
	return proven, h.verifier.First(h.ctx, h.visit, login, passkey.Name, r)
}

func (h *fixture) get(d *passkeytest.Device, c mfa.Challenge) mfa.Response {
	h.t.Helper()
	r, err := d.Get(c)
	h.ok(err)
	return r
}

// A login with a passkey costs no more than one with a password.
func TestAPasskeyEndsALoginInOneTransaction(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.withPasskeys()
		h.client("rp")
		ada := h.user("ada", "")
		cost := func(login func(id storage.RequestID)) [2]int64 {
			h.begin(params("rp"), nil) // reads the client
			before := h.engine.Stats()
			login(h.begin(params("rp", "acr_values", "phr aal1"), nil).Request)
			after := h.engine.Stats()
			return [2]int64{int64(after.Statements - before.Statements), int64(after.Commits - before.Commits)}
		}
		withPassword := func(id storage.RequestID) {
			proven, err := h.first(id, "ada", nil)
			if h.ok(err); proven.Finished == nil {
				h.t.Fatalf("with a password: %s", proven.Step.Kind)
			}
		}
		cost(withPassword) // the first login of a user is not reported as one in a new browser
		byPassword := cost(withPassword)
		d := h.enrol(ada.ID, nil)
		var code string
		byPasskey := cost(func(id storage.RequestID) {
			c := h.offer(id, "")
			proven, err := h.answer(id, h.get(d, c), nil)
			if h.ok(err); proven.Finished == nil {
				h.t.Fatalf("with a passkey: %s", proven.Step.Kind)
			}
			code = h.values(proven.Finished.Answer).Get("code")
		})
		if byPasskey[0] > byPassword[0] || byPasskey[1] > byPassword[1] {
			h.t.Errorf("%d statements and %d commits, with a password %d and %d", byPasskey[0], byPasskey[1], byPassword[0], byPassword[1])
		}
		token := h.post(h.p.Grants.Token, "rp", redeem(code))
		claims, _ := h.readJWT(token.get("id_token"))
		if claims["acr"] != "phr" || claims["sub"] != string(ada.ID) {
			h.t.Errorf("acr %v of %v, want phr of ada", claims["acr"], claims["sub"])
		}
	})
}

func TestOneOfConcurrentResponsesOfAPasskeyCounts(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.withPasskeys()
		h.client("rp")
		ada := h.user("ada", "")
		for _, counts := range []bool{true, false} {
			d := h.enrol(ada.ID, func(d *passkeytest.Device) { d.Counts = counts })
			id := h.begin(params("rp"), nil).Request
			r := h.get(d, h.offer(id, ""))
			const callers = 8
			all, errs := make([]*Proven, callers), make([]error, callers)
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() { all[i], errs[i] = h.answer(id, r, nil) })
			}
			wg.Wait()
			ended := 0
			for i, p := range all {
				switch {
				case errs[i] == nil && p.Finished != nil:
					ended++
				case errs[i] == nil && p.Step.Kind == StepOver:
				case !slices.Contains([]mfa.Code{mfa.RequestChanged, mfa.Replayed}, mfa.CodeOf(errs[i])):
					h.t.Errorf("caller %d: %v", i, errs[i])
				}
			}
			if ended != 1 {
				h.t.Errorf("%d of %d ended the login, want 1", ended, callers)
			}
			other := h.begin(params("rp"), nil).Request
			if _, err := h.answer(other, r, nil); mfa.CodeOf(err) != mfa.InvalidCredentials {
				h.t.Errorf("in another login: %v", err)
			}
		}
	})
}

func TestAPasskeyWithoutUserVerificationIsOneFactor(t *testing.T) {
	h := newFixture(t)
	h.withPasskeys()
	h.client("rp", func(c *storage.Client) { c.MFA = "ALWAYS" })
	ada := h.user("ada", "")
	d := h.enrol(ada.ID, func(d *passkeytest.Device) { d.Authenticator.Options.UserNotVerified = true })
	id := h.begin(params("rp"), nil).Request
	proven, err := h.answer(id, h.get(d, h.offer(id, "")), nil)
	h.ok(err)
	if proven.Finished != nil || proven.Step.Kind != StepIdentify || proven.Step.Verdict.ACR != mfa.AAL1 || !slices.Equal(proven.Step.Verdict.Methods, []string{"password"}) {
		t.Fatalf("after possession alone: %s %+v, want the password", proven.Step.Kind, proven.Step.Verdict)
	}
	proven, err = h.first(proven.Step.Request.ID, "ada", nil)
	h.ok(err)
	if proven.Finished == nil || proven.Step.Verdict.ACR != mfa.PHR {
		t.Errorf("with the password: %s, acr %s; want the end, and phr", proven.Step.Kind, proven.Step.Verdict.ACR)
	}

	// The password first: the passkey is the second factor, and asked for alone.
	id = h.begin(params("rp"), nil).Request
	proven, err = h.first(id, "ada", nil)
	h.ok(err)
	if proven.Step.Kind != StepVerify || !slices.Contains(proven.Step.Verdict.Methods, passkey.Name) {
		t.Fatalf("after the password: %s %+v", proven.Step.Kind, proven.Step.Verdict)
	}
	c := exchange.Choice{Method: passkey.Name}
	o, err := h.verifier.Offer(h.ctx, h.visit, proven.Step.Login, c)
	h.ok(err)
	r := h.get(d, o.Challenge)
	login, after := h.p.WithProof(new(h.next(proven.Step.Request.ID, nil)), h.visit)
	_, err = h.verifier.Prove(h.ctx, h.visit, login, c, "", r)
	h.ok(err)
	if after.Finished == nil {
		t.Errorf("after the passkey: %s", after.Step.Kind)
	}
}

func TestAClientCanDemandAPasskey(t *testing.T) {
	h := newFixture(t)
	h.withPasskeys()
	h.client("bank", func(c *storage.Client) { c.MFA = mfa.MFAResistant })
	h.user("bare", "")
	id := h.begin(params("bank"), nil).Request
	proven, err := h.first(id, "bare", nil)
	h.ok(err)
	if proven.Step.Kind != StepEnroll || !slices.Equal(proven.Step.Verdict.Methods, []string{passkey.Name}) {
		t.Errorf("with a password alone: %s %v, want to enrol a passkey", proven.Step.Kind, proven.Step.Verdict.Methods)
	}
	// Who has another second factor proves that first.
	h.user("ada", appKey)
	id = h.begin(params("bank"), nil).Request
	proven, err = h.first(id, "ada", nil)
	h.ok(err)
	if proven.Step.Kind != StepVerify || !slices.Equal(proven.Step.Verdict.Methods, []string{"totp"}) {
		t.Fatalf("with an app enrolled: %s %v, want the app", proven.Step.Kind, proven.Step.Verdict.Methods)
	}
	id = proven.Step.Request.ID
	_, err = h.verifier.Enroll(h.ctx, h.visit, h.verifier.InLogin(proven.Step.Login), exchange.NewFactor{Method: passkey.Name})
	if mfa.CodeOf(err) != mfa.ReauthenticationRequired {
		t.Errorf("enrolling after the password alone: %v", err)
	}
	h.prove(id, nil)
	st := h.next(id, nil)
	if st.Kind != StepEnroll {
		t.Fatalf("after the app: %s, want to enrol", st.Kind)
	}
	e := h.verifier.InLogin(st.Login)
	begun, err := h.verifier.Enroll(h.ctx, h.visit, e, exchange.NewFactor{Method: passkey.Name})
	h.ok(err)
	d := passkeytest.New("op.example", issuer)
	r, err := d.Create(begun.Handout.Options)
	h.ok(err)
	_, err = h.verifier.Confirm(h.ctx, h.visit, e, begun.Exchange, r)
	h.ok(err)
	if st = h.next(id, nil); st.Kind == StepEnroll || st.Verdict.ACR != mfa.PHR {
		t.Errorf("after the enrolment: %s, acr %s", st.Kind, st.Verdict.ACR)
	}
	account, err := h.engine.Account(h.ctx, st.Account.User.ID)
	h.ok(err)
	if account.User.MFAEnabled {
		t.Error("a passkey switched on the user's own demand for two factors")
	}
}

// A list of passkeys for a name has invented ones. A response to one of them must not tell.
func TestAnUnknownPasskeyCostsWhatAWrongResponseCosts(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.withPasskeys()
		h.client("rp")
		ada := h.user("ada", "")
		known := h.enrol(ada.ID, nil)
		cost := func(credential []byte) uint64 {
			d := passkeytest.New("op.example", issuer)
			d.Credential.ID, d.Authenticator.Options.UserHandle = credential, nil
			id := h.begin(params("rp"), nil).Request
			r := h.get(d, h.offer(id, ""))
			before := h.engine.Stats()
			_, err := h.answer(id, r, nil)
			if mfa.CodeOf(err) != mfa.InvalidCredentials {
				h.t.Errorf("refused with %v", err)
			}
			return uint64(h.engine.Stats().Statements - before.Statements)
		}
		cost(known.Credential.ID)
		if wrong, unknown := cost(known.Credential.ID), cost([]byte("a credential of nobody")); wrong != unknown {
			h.t.Errorf("%d statements for a wrong response, %d for an unknown passkey", wrong, unknown)
		}
	})
}
