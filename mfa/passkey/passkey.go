package passkey

import (
	"context"
	"crypto/ecdh"
	"embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

//go:embed messages
var texts embed.FS

// Name is the name of the method.
const Name = "passkey"

// maxPasskeys is how many passkeys a user may hold: one for each device or password manager.
const maxPasskeys = 10

// Store is the part of storage that the method reads.
type Store interface {
	AccountByCredential(ctx context.Context, credential []byte) (storage.Account, error)
}

// Options set the site that passkeys are for.
type Options struct {
	Product string // shown by devices
	RPID    string // domain that passkeys belong to
	// Origins are those of pages that may use them: the issuer's first, then related ones.
	Origins []string
	TTL     time.Duration // of a challenge
	Enroll  time.Duration // how long devices wait for the user at an enrolment
	// Trust decides which passkeys count as keys in hardware; nil: none do.
	Trust *Trust
	// Attest: every new passkey is asked for an attestation, not only where a login demands one.
	Attest bool
}

// Method implements mfa.Method and mfa.Enroller with WebAuthn.
type Method struct {
	store   Store
	keyring *seal.Keyring
	random  io.Reader
	site    *webauthn.WebAuthn
	nobody  []byte // COSE key that unknown credentials are compared with
	o       Options
}

// New returns a Method. It returns an error for an RP ID that no browser accepts, such as an
// address.
func New(store Store, keyring *seal.Keyring, random io.Reader, o Options) (*Method, error) {
	if err := protocol.ValidateRPID(o.RPID); err != nil {
		return nil, fmt.Errorf("RP ID %q: %w", o.RPID, err)
	}
	site, err := webauthn.New(&webauthn.Config{RPID: o.RPID, RPDisplayName: o.Product, RPOrigins: o.Origins,
		// Clients may report extensions that nobody asked for; none is read.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore})
	if err != nil {
		return nil, fmt.Errorf("set up WebAuthn: %w", err)
	}
	nobody, err := ecdh.P256().GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("make a key of nobody: %w", err)
	}
	return &Method{store: store, keyring: keyring, random: random, site: site, nobody: coseOf(nobody.PublicKey().Bytes()), o: o}, nil
}

// coseOf encodes a point of P-256 (SEC 1, uncompressed) as a COSE key for ES256 (RFC 9053 section 7.1.1).
func coseOf(point []byte) []byte {
	x, y := point[1:33], point[33:]
	return slices.Concat([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, x, []byte{0x22, 0x58, 0x20}, y)
}

// RPID returns the domain that new passkeys belong to.
func (m *Method) RPID() string { return m.o.RPID }

// Info describes the method. The kinds are those of a proof with user verification.
func (m *Method) Info() mfa.Info {
	best := countsFor(response{present: true, verified: true})
	i := mfa.Info{Name: Name, Texts: texts, Kinds: best.Kinds, AMR: best.AMR, PhishingResistant: best.PhishingResistant,
		First: true, Second: true, Enrolls: true, Max: maxPasskeys, Challenged: true, Unusable: m.elsewhere}
	if m.o.Trust != nil {
		i.Hardware = m.inHardware
	}
	return i
}

// elsewhere reports whether a passkey belongs to another RP ID.
func (m *Method) elsewhere(x storage.Authenticator) bool {
	return x.Method == Name && detailsOf(x).RPID != m.o.RPID
}

// inHardware reports whether a passkey counts as a key in hardware now: its attestation led to a
// certificate that still vouches for its model.
func (m *Method) inHardware(x storage.Authenticator) bool {
	d := detailsOf(x)
	aaguid, ok := storage.Bytes(d.AAGUID)
	return ok && d.RPID == m.o.RPID && m.o.Trust.trusts(d.Root, aaguid)
}

// response is what counts of a response.
type response struct {
	present, verified, backupEligible bool
	hardware                          bool // of a key that is known to be in hardware
}

// countsFor is what a proof counts for. With user verification it is two factors, one that the
// user has and one that they are or know: which of them, no device says. A passkey that is backed
// up can leave its device, so its key is one of software; one in hardware is known by its attestation,
// and of others nothing is known.
func countsFor(r response) shown {
	s := shown{Shown: mfa.Shown{Kinds: []storage.Kind{storage.Have}, AMR: []string{"pop"}, PhishingResistant: true}}
	if r.present {
		s.AMR = append(s.AMR, "user")
	}
	if r.verified {
		s.Kinds = append(s.Kinds, storage.Are)
		s.hardware = r.hardware && !r.backupEligible
	}
	if r.backupEligible {
		s.AMR = append(s.AMR, "swk")
	}
	if s.hardware {
		s.AMR = append(s.AMR, "hwk")
	}
	return s
}

// shown is what a proof counts for, with what no record of the passkey decides for good.
type shown struct {
	mfa.Shown
	hardware bool
}

// algorithms are those that new passkeys may have, the preferred ones first.
func algorithms() []protocol.CredentialParameter {
	var out []protocol.CredentialParameter
	for _, alg := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgES384, webauthncose.AlgRS256} {
		out = append(out, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg})
	}
	return out
}

// owner implements webauthn.User with the passkeys that may be used.
type owner struct {
	user        storage.UserID
	credentials []webauthn.Credential
}

func (o owner) WebAuthnID() []byte                         { return handleOf(o.user) }
func (o owner) WebAuthnName() string                       { return string(o.user) }
func (o owner) WebAuthnDisplayName() string                { return string(o.user) }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

// handleOf returns the user handle: the bytes of the user ID, which are random.
func handleOf(id storage.UserID) []byte {
	b, ok := storage.Bytes(id)
	if !ok {
		return []byte(id)
	}
	return b[:]
}

// wrong is the refusal of a response that proves nothing. why is logged; it has no value of the
// response.
func wrong(ctx context.Context, usage string, why error) *mfa.Error {
	mfa.Refused(ctx, mfa.Refusal{Err: why})
	if usage == mfa.UsageFirst {
		return &mfa.Error{Code: mfa.InvalidCredentials}
	}
	return &mfa.Error{Code: mfa.InvalidPasscode}
}

// cause returns an error of the library without the values that it quotes elsewhere.
func cause(err error) error {
	if p, ok := errors.AsType[*protocol.Error](err); ok {
		return errors.New(p.Details)
	}
	return err
}
