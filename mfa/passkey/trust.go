package passkey

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-webauthn/webauthn/metadata"
	"github.com/go-webauthn/webauthn/protocol"

	"sallyport/input"
)

// TrustFiles name the files that say which authenticators keep their keys in hardware.
type TrustFiles struct {
	Roots        string // PEM: certificates that vouch for every model below them; "": none
	Metadata     string // a BLOB of the FIDO Metadata Service, version 3; "": none
	MetadataRoot string // PEM: who signs it; "": the FIDO Alliance
}

// Trust decides whether an attestation is believed. A model that loses its trust loses it at once,
// for keys that were attested before, too. Goroutines may share it.
type Trust struct {
	files   TrustFiles
	now     func() time.Time
	current atomic.Pointer[anchors]
}

// anchors are what was read of the files.
type anchors struct {
	roots  []*x509.Certificate
	models map[[16]byte]model // by AAGUID
	until  time.Time          // metadata prove something until then
}

// model is an entry of the metadata.
type model struct {
	roots    []*x509.Certificate
	reports  []metadata.StatusReport
	hardware bool
}

// metadataGrace is how long metadata are good after the day on which their successor was due.
const metadataGrace = 30 * 24 * time.Hour

// OpenTrust reads the files.
func OpenTrust(files TrustFiles, now func() time.Time) (*Trust, error) {
	t := &Trust{files: files, now: now}
	return t, t.Load()
}

// Load reads the files again. An error keeps what was read before.
func (t *Trust) Load() error {
	var read anchors
	var err error
	if t.files.Roots != "" {
		if read.roots, err = readCertificates(t.files.Roots); err != nil {
			return err
		}
	}
	if t.files.Metadata != "" {
		if read.models, read.until, err = readMetadata(t.files, t.now()); err != nil {
			return err
		}
	}
	t.current.Store(&read)
	return nil
}

// Stale returns when the metadata stop to prove anything, if their successor is overdue; zero: it is
// not, or there are none.
func (t *Trust) Stale() time.Time {
	if t == nil {
		return time.Time{}
	}
	if a := t.current.Load(); a.models != nil && !t.now().Before(a.until.Add(-metadataGrace)) {
		return a.until
	}
	return time.Time{}
}

// readCertificates reads the certificates of a PEM file.
func readCertificates(path string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(input.WithoutMark(text)); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", path, len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no certificate", path)
	}
	return out, nil
}

// undesired are states of a model after which its keys may be somewhere else, or its user unverified.
var undesired = []metadata.AuthenticatorStatus{metadata.Revoked, metadata.UserVerificationBypass, metadata.AttestationKeyCompromise,
	metadata.UserKeyRemoteCompromise, metadata.UserKeyPhysicalCompromise}

// anchorsOf returns the certificates that vouch for a model now. Metadata that list it decide
// whether any do.
func (t *Trust) anchorsOf(aaguid [16]byte) []*x509.Certificate {
	a, now := t.current.Load(), t.now()
	m, listed := a.models[aaguid]
	switch {
	case !listed:
		return a.roots
	case !m.hardware || metadata.ValidateStatusReportsAt(m.reports, nil, undesired, now) != nil:
		return nil
	case !now.Before(a.until):
		return a.roots
	}
	return slices.Concat(a.roots, m.roots)
}

// trusts reports whether an attestation that led to a root is believed now. A nil Trust believes none.
func (t *Trust) trusts(root []byte, aaguid [16]byte) bool {
	return t != nil && len(root) > 0 && slices.ContainsFunc(t.anchorsOf(aaguid), func(c *x509.Certificate) bool {
		return bytes.Equal(fingerprint(c), root)
	})
}

func fingerprint(c *x509.Certificate) []byte {
	sum := sha256.Sum256(c.Raw)
	return sum[:]
}

// rootOf returns the fingerprint of the trusted certificate that an attestation leads to. The
// library has verified the statement.
func (t *Trust) rootOf(o protocol.AttestationObject) ([]byte, error) {
	var aaguid [16]byte
	copy(aaguid[:], o.AuthData.AttData.AAGUID)
	flags, format := o.AuthData.Flags, protocol.AttestationFormat(o.Format)
	switch {
	case format == protocol.AttestationFormatNone:
		return nil, errors.New("no attestation")
	case format != protocol.AttestationFormatPacked && format != protocol.AttestationFormatTPM:
		return nil, errors.New("an attestation of another format than packed and tpm")
	case flags.HasBackupEligible():
		return nil, errors.New("the key can be backed up")
	case !flags.HasUserVerified():
		return nil, errors.New("the user was not verified")
	case aaguid == [16]byte{}:
		return nil, errors.New("the model is not named")
	}
	chain, err := chainOf(o)
	if err != nil {
		return nil, err
	}
	if format == protocol.AttestationFormatPacked && !names(chain[0], aaguid) {
		return nil, errors.New("the certificate is not one of this model")
	}
	anchors := t.anchorsOf(aaguid)
	if len(anchors) == 0 {
		return nil, errors.New("nothing vouches for the model")
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: t.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, c := range anchors {
		options.Roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	chains, err := chain[0].Verify(options)
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return nil, errors.New("a certificate is not within its time")
	}
	if err != nil {
		return nil, errors.New("the certificate leads to no trusted root") // the error has text of the authenticator
	}
	return fingerprint(chains[0][len(chains[0])-1]), nil
}

// chainOf returns the certificates of a statement, that of the authenticator first.
func chainOf(o protocol.AttestationObject) ([]*x509.Certificate, error) {
	list, _ := o.AttStatement["x5c"].([]any)
	var out []*x509.Certificate
	for _, item := range list {
		der, _ := item.([]byte)
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(out)+1, err)
		}
		// The name of a TPM is a critical extension (TPMv2-EK-Profile section 3.2.9), which the library reads.
		c.UnhandledCriticalExtensions = slices.DeleteFunc(c.UnhandledCriticalExtensions, func(id asn1.ObjectIdentifier) bool {
			return id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) && o.Format == string(protocol.AttestationFormatTPM)
		})
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("the key vouches for itself")
	}
	return out, nil
}

// names reports whether a certificate is for a model (WebAuthn Level 3 section 8.2.1,
// id-fido-gen-ce-aaguid). Authorities vouch for several models.
func names(c *x509.Certificate, aaguid [16]byte) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}) {
			var value []byte
			rest, err := asn1.Unmarshal(e.Value, &value)
			return err == nil && len(rest) == 0 && bytes.Equal(value, aaguid[:])
		}
	}
	return false
}
