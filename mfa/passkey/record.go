package passkey

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"sallyport/mfa"
	"sallyport/storage"
)

// record is the credential record (WebAuthn section 4), the sealed secret of an authenticator: its
// key is not secret, and must not be replaced. What changes with use is in details.
type record struct {
	RPID       string              `json:"rp_id"`
	Credential webauthn.Credential `json:"credential"`
	Root       []byte              `json:"root,omitempty"` // fingerprint of the certificate that its attestation led to; nil: none that is trusted
}

// details are the data of an authenticator.
type details struct {
	mfa.Shown
	Challenge      []byte    `json:"challenge,omitempty"` // of a pending enrolment
	Unasked        bool      `json:"unasked,omitempty"`   // it may be made without a gesture of the user
	RPID           string    `json:"rp_id"`
	AAGUID         string    `json:"aaguid,omitempty"`
	Transports     []string  `json:"transports,omitempty"`
	Discoverable   *bool     `json:"discoverable,omitempty"` // nil: the client did not say
	BackupEligible bool      `json:"backup_eligible,omitempty"`
	BackedUp       bool      `json:"backed_up,omitempty"`
	Hardware       bool      `json:"hardware,omitempty"`    // of a pending enrolment: a login demands a key in hardware
	Root           []byte    `json:"root,omitempty"`        // as in record
	CounterBack    time.Time `json:"counter_back,omitzero"` // when its counter was first not higher than before
}

// recordOf returns the record of a confirmed passkey; false: it has none, or a broken one.
func recordOf(x storage.Authenticator) (record, bool) {
	var r record
	if x.Method != Name || len(x.Secret) == 0 || json.Unmarshal(x.Secret, &r) != nil || r.RPID == "" {
		return record{}, false
	}
	return r, true
}

func detailsOf(x storage.Authenticator) details {
	var d details
	if json.Unmarshal(x.Data, &d) != nil {
		return details{}
	}
	return d
}

// Description is what people are shown of a passkey.
type Description struct {
	AAGUID       string // of the model of authenticator, or of the password manager
	Model        string // its name; "": not known
	Transports   []string
	Discoverable bool // it can sign in without a name
	Verifies     bool // it asks for a fingerprint, a face or a PIN
	Synced       bool // it is backed up, or on several devices
	Hardware     bool // its key is in hardware, as its attestation shows
	OtherSite    bool // it belongs to another RP ID, so it cannot be used
	CounterBack  time.Time
}

// Describe describes an authenticator; false: it is no passkey.
func (m *Method) Describe(x storage.Authenticator) (Description, bool) {
	if x.Method != Name || x.State == storage.AuthenticatorPending {
		return Description{}, false
	}
	d := detailsOf(x)
	return Description{AAGUID: d.AAGUID, Model: models[d.AAGUID], Transports: d.Transports, Discoverable: d.Discoverable == nil || *d.Discoverable,
		Verifies: len(d.Kinds) > 1, Synced: d.BackedUp, Hardware: m.inHardware(x), OtherSite: m.elsewhere(x), CounterBack: d.CounterBack}, true
}

// Accepted returns what PublicKeyCredential.signalAllAcceptedCredentials takes: the passkeys of
// an account, so that devices hide others of it.
func (m *Method) Accepted(a storage.Account) *protocol.SignalAllAcceptedCredentials {
	out := &protocol.SignalAllAcceptedCredentials{RPID: m.o.RPID, UserID: handleOf(a.User.ID), AllAcceptedCredentialIDs: []protocol.URLEncodedBase64{}}
	for _, d := range m.descriptors(&a, func(x storage.Authenticator) bool { return x.State != storage.AuthenticatorPending }) {
		out.AllAcceptedCredentialIDs = append(out.AllAcceptedCredentialIDs, d.CredentialID)
	}
	return out
}

// credentialKey is storage.Authenticator.Credential of a credential ID.
func credentialKey(id []byte) []byte {
	sum := sha256.Sum256(id)
	return sum[:]
}

// CredentialOf returns the Credential of the authenticator that a response names; nil: it names
// none. It verifies nothing.
func CredentialOf(r mfa.Response) []byte {
	var named struct {
		ID string `json:"id"`
	}
	if len(r) > maxResponse || json.Unmarshal(r, &named) != nil {
		return nil
	}
	id, err := base64.RawURLEncoding.DecodeString(named.ID)
	if err != nil || len(id) == 0 {
		return nil
	}
	return credentialKey(id)
}

// newRecord returns the secret and the data of a new passkey. What it shows is what a response will:
// those are refused without user presence.
func newRecord(rpID string, c *webauthn.Credential, root []byte) (secret, data []byte, err error) {
	var aaguid [16]byte
	copy(aaguid[:], c.Authenticator.AAGUID)
	d := details{Shown: countsFor(response{present: true, verified: c.Flags.UserVerified, backupEligible: c.Flags.BackupEligible}).Shown, Root: root, RPID: rpID, AAGUID: storage.FromBytes[string](aaguid),
		BackupEligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState, Discoverable: c.Extensions.RK}
	for _, t := range c.Transport {
		d.Transports = append(d.Transports, string(t))
	}
	if secret, err = json.Marshal(record{RPID: rpID, Credential: *c, Root: root}); err != nil {
		return nil, nil, fmt.Errorf("write credential record: %w", err)
	}
	data, err = json.Marshal(d)
	return secret, data, err
}
