package passkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"sallyport/mfa"
	"sallyport/storage"
)

// Enroll returns a pending authenticator and its creation options.
func (m *Method) Enroll(_ context.Context, h mfa.Holder) (storage.Authenticator, mfa.Handout, error) {
	d := details{Challenge: make([]byte, tagBytes), RPID: m.o.RPID, Unasked: h.Unasked, Hardware: h.Hardware && m.o.Trust != nil}
	if _, err := io.ReadFull(m.random, d.Challenge); err != nil {
		return storage.Authenticator{}, mfa.Handout{}, fmt.Errorf("make challenge: %w", err)
	}
	data, err := json.Marshal(d)
	if err != nil {
		return storage.Authenticator{}, mfa.Handout{}, fmt.Errorf("write passkey: %w", err)
	}
	a := storage.Authenticator{Method: Name, Data: data}
	out, err := m.Handout(a, h)
	return a, out, err
}

// Handout returns the creation options of a pending passkey. A device that holds a passkey of the
// user makes no second one, unless a login demands a key in hardware and that one is not known to be.
// Only there, or with Options.Attest, it is asked for an attestation: browsers warn of that.
func (m *Method) Handout(a storage.Authenticator, h mfa.Holder) (mfa.Handout, error) {
	optional, d := false, detailsOf(a)
	attestation, verification := protocol.PreferNoAttestation, protocol.VerificationPreferred
	if m.asks(d) {
		attestation = protocol.PreferDirectAttestation
	}
	if d.Hardware {
		verification = protocol.VerificationRequired
	}
	text, err := json.Marshal(protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{ID: m.o.RPID, CredentialEntity: protocol.CredentialEntity{Name: m.o.Product}},
		User: protocol.UserEntity{ID: protocol.URLEncodedBase64(handleOf(h.Account.User.ID)), DisplayName: h.Label,
			CredentialEntity: protocol.CredentialEntity{Name: h.Label}},
		Challenge: d.Challenge, Parameters: algorithms(), Timeout: int(m.o.Enroll.Milliseconds()),
		CredentialExcludeList: m.descriptors(&h.Account, func(x storage.Authenticator) bool {
			return x.State != storage.AuthenticatorPending && (!d.Hardware || m.inHardware(x))
		}),
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementPreferred, RequireResidentKey: &optional,
			UserVerification: verification},
		Attestation: attestation, Extensions: protocol.AuthenticationExtensions{CredProps: true},
	})
	if err != nil {
		return mfa.Handout{}, fmt.Errorf("write creation options: %w", err)
	}
	return mfa.Handout{Options: text}, nil
}

// confirm checks the response to creation options. It returns AlreadyEnrolled for a credential
// that a user has, and for a decoy: else whoever enrols it learns that a name has no passkey.
func (m *Method) confirm(ctx context.Context, a mfa.Attempt, r mfa.Response) (mfa.Proof, error) {
	parsed, err := parseCreation(r)
	if err != nil {
		return mfa.Proof{}, err
	}
	x := a.Authenticator
	if x == nil || a.Account == nil || a.Account.User.Status == storage.UserDisabled || x.State != storage.AuthenticatorPending || x.Method != Name {
		return mfa.Proof{}, wrong(ctx, a.Usage, errors.New("there is no enrolment to confirm"))
	}
	d, user := detailsOf(*x), owner{user: a.Account.User.ID}
	if len(d.Challenge) != tagBytes || d.RPID != m.o.RPID {
		return mfa.Proof{}, wrong(ctx, a.Usage, errors.New("the enrolment began for another site"))
	}
	session := webauthn.SessionData{Challenge: protocol.URLEncodedBase64(d.Challenge).String(), RelyingPartyID: m.o.RPID,
		UserID: user.WebAuthnID(), UserVerification: protocol.VerificationPreferred, CredParams: algorithms()}
	if d.Unasked {
		session.Mediation = protocol.MediationConditional // user presence is not demanded
	}
	c, err := m.site.CreateCredential(user, session, parsed)
	if err != nil && parsed.Response.AttestationObject.Format != string(protocol.AttestationFormatNone) {
		// A statement that does not verify is worth as much as none, which nobody is refused for.
		parsed.Response.AttestationObject.Format, parsed.Response.AttestationObject.AttStatement = string(protocol.AttestationFormatNone), nil
		c, err = m.site.CreateCredential(user, session, parsed)
	}
	if err != nil {
		return mfa.Proof{}, wrong(ctx, a.Usage, cause(err))
	}
	_, err = m.store.AccountByCredential(ctx, credentialKey(c.ID))
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return mfa.Proof{}, fmt.Errorf("look for credential: %w", err)
	case err == nil || m.isDecoy(c.ID):
		return mfa.Proof{}, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	var root []byte
	var findings []mfa.Finding
	if m.asks(d) {
		reason := "trusted"
		if root, err = m.o.Trust.rootOf(parsed.Response.AttestationObject); err != nil {
			reason = err.Error()
		}
		findings = []mfa.Finding{{Event: mfa.EventPasskeyAttested, Reason: reason}}
	}
	secret, data, err := newRecord(m.o.RPID, c, root)
	if err != nil {
		return mfa.Proof{}, err
	}
	shown := countsFor(response{c.Flags.UserPresent, c.Flags.UserVerified, c.Flags.BackupEligible, root != nil})
	return mfa.Proof{User: user.user, Authenticator: x.ID, Kinds: shown.Kinds, AMR: shown.AMR, PhishingResistant: shown.PhishingResistant,
		Hardware: shown.hardware, Findings: findings,
		Spend: storage.CredentialSpend{User: user.user, Authenticator: x.ID, Step: int64(c.Authenticator.SignCount), Secret: secret, Data: data,
			Credential: credentialKey(c.ID)}}, nil
}

// asks reports whether a new passkey is asked for an attestation.
func (m *Method) asks(d details) bool { return m.o.Trust != nil && (d.Hardware || m.o.Attest) }
