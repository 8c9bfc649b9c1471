package provider

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/passkey"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/storage"
)

// phrh is reached by a key whose attestation is believed: where a client demands it, in acr_values, and
// as an essential claim; and discovery names it where such a key can be known.
func TestAClientCanDemandAKeyInHardware(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		maker, err := passkeytest.NewMaker(time.Now())
		h.ok(err)
		file := filepath.Join(h.t.TempDir(), "roots.pem")
		h.ok(os.WriteFile(file, maker.PEM(), 0o600))
		trust, err := passkey.OpenTrust(passkey.TrustFiles{Roots: file}, time.Now)
		h.ok(err)
		supported := func() []string { return h.p.acrValues() }
		h.withPasskeys()
		if slices.Contains(supported(), "phrh") {
			h.t.Errorf("without trust: %v", supported())
		}
		h.withPasskeysBy(trust)
		if !slices.Contains(supported(), "phrh") {
			h.t.Errorf("with trust: %v", supported())
		}
		h.client("vault", func(c *storage.Client) { c.MFA = mfa.MFAHardware })
		h.client("rp")
		h.user("ada", "")
		id := h.begin(params("vault"), nil).Request
		proven, err := h.first(id, "ada", nil)
		h.ok(err)
		id = proven.Step.Request.ID
		model := passkeytest.Model{AAGUID: [16]byte{7}, Now: time.Now()}
		enrol := func(attest bool) *passkeytest.Device {
			h.t.Helper()
			st := h.next(id, nil)
			if st.Kind != StepEnroll || !slices.Equal(st.Verdict.Methods, []string{passkey.Name}) {
				h.t.Fatalf("%s %+v, want to enrol a passkey", st.Kind, st.Verdict)
			}
			e := h.verifier.InLogin(st.Login)
			begun, err := h.verifier.Enroll(h.ctx, h.visit, e, exchange.NewFactor{Method: passkey.Name})
			h.ok(err)
			d := passkeytest.New("op.example", issuer)
			d.Authenticator.Aaguid = model.AAGUID
			r, err := d.Create(begun.Handout.Options)
			h.ok(err)
			if attest {
				r, err = maker.Attest(r, model)
				h.ok(err)
			}
			_, err = h.verifier.Confirm(h.ctx, h.visit, e, begun.Exchange, r)
			h.ok(err)
			return d
		}
		plain := enrol(false)
		hard := enrol(true)
		if st := h.next(id, nil); st.Kind == StepEnroll || st.Verdict.ACR != mfa.PHRH {
			h.t.Fatalf("with a key in hardware: %s, acr %s", st.Kind, st.Verdict.ACR)
		}
		essential := `{"id_token":{"acr":{"essential":true,"value":"phrh"}}}`
		for name, tc := range map[string]struct {
			device *passkeytest.Device
			client storage.ClientID
			more   []string
			acr    string // "": another step
		}{
			"the client demands it":    {hard, "vault", nil, "phrh"},
			"by acr_values":            {hard, "rp", []string{"acr_values", "phrh"}, "phrh"},
			"by an essential claim":    {hard, "rp", []string{"claims", essential}, "phrh"},
			"an essential phr":         {hard, "rp", []string{"claims", strings.Replace(essential, "phrh", "phr", 1)}, "phr"},
			"the client, another key":  {plain, "vault", nil, ""},
			"essentially, another key": {plain, "rp", []string{"claims", essential}, ""},
			"voluntarily, by another":  {plain, "rp", []string{"acr_values", "phrh"}, ""},
		} {
			id := h.begin(params(tc.client, tc.more...), nil).Request
			proven, err := h.answer(id, h.get(tc.device, h.offer(id, "")), nil)
			h.ok(err)
			if tc.acr == "" {
				// The user has a key in hardware, and is asked for that one alone.
				if proven.Finished != nil || proven.Step.Kind != StepVerify || proven.Step.Verdict.Needed != mfa.PHRH {
					h.t.Errorf("%s: %s %+v, want to be asked for the other", name, proven.Step.Kind, proven.Step.Verdict)
					continue
				}
				o, err := h.verifier.Offer(h.ctx, h.visit, proven.Step.Login, exchange.Choice{Method: passkey.Name})
				h.ok(err)
				if _, err := plain.Get(o.Challenge); err == nil {
					h.t.Errorf("%s: the passkey that is not enough is asked for", name)
				}
				h.get(hard, o.Challenge)
				continue
			}
			if proven.Finished == nil {
				h.t.Errorf("%s: %s", name, proven.Step.Kind)
				continue
			}
			token := h.post(h.p.Grants.Token, string(tc.client), redeem(h.values(proven.Finished.Answer).Get("code")))
			claims, _ := h.readJWT(token.get("id_token"))
			if claims["acr"] != tc.acr {
				h.t.Errorf("%s: acr %v, want %s", name, claims["acr"], tc.acr)
			}
		}
	})
}
