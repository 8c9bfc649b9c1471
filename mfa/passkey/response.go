package passkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// maxResponse limits a response, in bytes. Attestations with certificates are some 6 KiB.
const maxResponse = 32 << 10

// Parse returns InvalidRequest for anything but the response to such options as the usage has.
func (m *Method) Parse(a mfa.Attempt, r mfa.Response) error {
	if a.Usage == mfa.UsageEnroll {
		_, err := parseCreation(r)
		return err
	}
	_, err := parseAssertion(r)
	return err
}

func parseAssertion(r mfa.Response) (*protocol.ParsedCredentialAssertionData, error) {
	if len(r) > maxResponse {
		return nil, &mfa.Error{Code: mfa.InvalidRequest}
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(r)
	if err != nil || len(parsed.Response.Signature) == 0 {
		return nil, &mfa.Error{Code: mfa.InvalidRequest}
	}
	return parsed, nil
}

func parseCreation(r mfa.Response) (*protocol.ParsedCredentialCreationData, error) {
	if len(r) > maxResponse {
		return nil, &mfa.Error{Code: mfa.InvalidRequest}
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(r)
	if err != nil {
		return nil, &mfa.Error{Code: mfa.InvalidRequest}
	}
	return parsed, nil
}

// Finish checks the signature of a passkey over the challenge of this login, for this site. It
// returns PasscodeExpired for a right response to an old challenge.
func (m *Method) Finish(ctx context.Context, a mfa.Attempt, s mfa.State, text mfa.Response) (mfa.Proof, error) {
	if a.Usage == mfa.UsageEnroll {
		return m.confirm(ctx, a, text)
	}
	parsed, err := parseAssertion(text)
	if err != nil {
		return mfa.Proof{}, err
	}
	challenge := parsed.Response.CollectedClientData.Challenge
	made, ok := m.madeAt(challenge, a)
	if !ok || s != nil && challenge != string(s) {
		return mfa.Proof{}, wrong(ctx, a.Usage, errors.New("the challenge is of another login or step"))
	}
	account, unread, err := m.accountOf(ctx, a, parsed.RawID)
	if err != nil {
		return mfa.Proof{}, err
	}
	x, r, ok := m.find(account, a.Authenticator, parsed.RawID)
	user := owner{credentials: []webauthn.Credential{r.Credential}}
	if ok {
		user.user = account.User.ID
	}
	_, err = m.site.ValidateLogin(user, webauthn.SessionData{Challenge: challenge, RelyingPartyID: m.o.RPID, UserID: user.WebAuthnID(),
		UserVerification: protocol.VerificationPreferred}, parsed)
	switch {
	case !ok:
		return mfa.Proof{}, m.refuse(ctx, a, parsed.RawID, account, unread, errors.New("no user here has this passkey for this site"))
	case err != nil:
		return mfa.Proof{}, m.refuse(ctx, a, parsed.RawID, account, unread, cause(err))
	}
	if !a.Now.Before(made.Add(m.o.TTL)) {
		return mfa.Proof{}, &mfa.Error{Code: mfa.PasscodeExpired}
	}
	return m.proof(a, *x, r, parsed.Response.AuthenticatorData)
}

// accountOf returns the account of an attempt or, if no name was typed, of a credential; nil: there
// is none. unread: the owner of the credential was not looked for. A typed name that finds no user,
// or a disabled one, is not replaced by the credential's owner: whoever holds a passkey would learn
// whether a name exists.
func (m *Method) accountOf(ctx context.Context, a mfa.Attempt, id []byte) (account *storage.Account, unread bool, err error) {
	if a.Account != nil || a.Name != nil || a.Usage != mfa.UsageFirst {
		return a.Account, true, nil
	}
	account, err = m.holder(ctx, id)
	return account, false, err
}

// holder returns the account that has a credential; nil: none has.
func (m *Method) holder(ctx context.Context, id []byte) (*storage.Account, error) {
	account, err := m.store.AccountByCredential(ctx, credentialKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	return &account, nil
}

// refuse is the refusal of a response that proves nothing. It says whether an account has the
// credential, for devices to forget it if none has. A decoy counts as one that an account has, so that
// the lists for names tell nothing; and each refusal looks once for the owner, so that it costs the same.
func (m *Method) refuse(ctx context.Context, a mfa.Attempt, id []byte, holder *storage.Account, unread bool, why error) error {
	if unread {
		var err error
		if holder, err = m.holder(ctx, id); err != nil {
			return err
		}
	}
	refusal := wrong(ctx, a.Usage, why)
	if m.isDecoy(id) || holder != nil {
		return refusal
	}
	text, err := json.Marshal(protocol.SignalUnknownCredential{CredentialID: id, RPID: m.o.RPID})
	if err != nil {
		return fmt.Errorf("write signal: %w", err)
	}
	refusal.Unknown = text
	return refusal
}

// find returns the active passkey of this site with a credential ID; false: there is none, and the
// credential has a key of nobody, so that a response costs the same.
func (m *Method) find(account *storage.Account, only *storage.Authenticator, id []byte) (*storage.Authenticator, record, bool) {
	nobody := record{Credential: webauthn.Credential{ID: id, PublicKey: m.nobody}}
	if account == nil || account.User.Status == storage.UserDisabled {
		return nil, nobody, false
	}
	for i := range account.Authenticators {
		x := &account.Authenticators[i]
		if x.State != storage.AuthenticatorActive || x.UserID != account.User.ID || only != nil && only.ID != x.ID {
			continue
		}
		if r, ok := recordOf(*x); ok && r.RPID == m.o.RPID && string(r.Credential.ID) == string(id) {
			return x, r, true
		}
	}
	return nil, nobody, false
}

// attested reports whether the passkey of a record counts as a key in hardware now.
func (m *Method) attested(r record) bool {
	var aaguid [16]byte
	copy(aaguid[:], r.Credential.Authenticator.AAGUID)
	return m.o.Trust.trusts(r.Root, aaguid)
}

// proof returns what a verified response proves: user verification counts for a passkey that did
// it when it was enrolled (WebAuthn section 7.2, uvInitialized).
func (m *Method) proof(a mfa.Attempt, x storage.Authenticator, was record, said protocol.AuthenticatorData) (mfa.Proof, error) {
	d := detailsOf(x)
	shown := countsFor(response{present: said.Flags.HasUserPresent(), verified: said.Flags.HasUserVerified() && was.Credential.Flags.UserVerified,
		backupEligible: said.Flags.HasBackupEligible(), hardware: m.attested(was)})
	p := mfa.Proof{User: x.UserID, Authenticator: x.ID, Kinds: shown.Kinds, AMR: shown.AMR, PhishingResistant: shown.PhishingResistant, Hardware: shown.hardware,
		Spend: storage.CredentialSpend{User: x.UserID, Authenticator: x.ID}}
	changed := false
	if backedUp := said.Flags.HasBackupState(); backedUp != d.BackedUp {
		d.BackedUp, changed = backedUp, true
		reason := "no longer backed up"
		if backedUp {
			reason = "backed up"
		}
		p.Findings = append(p.Findings, mfa.Finding{Event: mfa.EventPasskeyBackup, Reason: reason})
	}
	switch counter := int64(said.Counter); {
	case counter > x.Counter:
		p.Spend.Step = counter
	case counter != 0 || x.Counter != 0:
		f := mfa.Finding{Event: mfa.EventPasskeyCounter, Reason: fmt.Sprintf("%d after %d", counter, x.Counter)}
		if d.CounterBack.IsZero() {
			f.Notice = notice.PasskeyCounter
			d.CounterBack, changed = a.Now, true
		}
		p.Findings = append(p.Findings, f)
	}
	if !changed {
		return p, nil
	}
	data, err := json.Marshal(d)
	if err != nil {
		return mfa.Proof{}, fmt.Errorf("write passkey: %w", err)
	}
	p.Spend.Data = data
	return p, nil
}
