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
	d := details{Challenge: make([]byte, tagBytes), RPID: m.o.RPID, Unasked: h.Unasked}
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
// user makes no second one.
func (m *Method) Handout(a storage.Authenticator, h mfa.Holder) (mfa.Handout, error) {
	optional := false
	text, err := json.Marshal(protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{ID: m.o.RPID, CredentialEntity: protocol.CredentialEntity{Name: m.o.Product}},
		User: protocol.UserEntity{ID: protocol.URLEncodedBase64(handleOf(h.Account.User.ID)), DisplayName: h.Label,
			CredentialEntity: protocol.CredentialEntity{Name: h.Label}},
		Challenge: detailsOf(a).Challenge, Parameters: algorithms(), Timeout: int(m.o.Enroll.Milliseconds()),
		CredentialExcludeList: m.descriptors(&h.Account, func(x storage.Authenticator) bool { return x.State != storage.AuthenticatorPending }),
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementPreferred, RequireResidentKey: &optional,
			UserVerification: protocol.VerificationPreferred},
		Attestation: protocol.PreferNoAttestation, Extensions: protocol.AuthenticationExtensions{CredProps: true},
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
	secret, data, err := newRecord(m.o.RPID, c)
	if err != nil {
		return mfa.Proof{}, err
	}
	shown := countsFor(c.Flags.UserPresent, c.Flags.UserVerified, c.Flags.BackupEligible)
	return mfa.Proof{User: user.user, Authenticator: x.ID, Kinds: shown.Kinds, AMR: shown.AMR, PhishingResistant: shown.PhishingResistant,
		Spend: storage.CredentialSpend{User: user.user, Authenticator: x.ID, Step: int64(c.Authenticator.SignCount), Secret: secret, Data: data,
			Credential: credentialKey(c.ID)}}, nil
}
