package passkeytest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"time"

	"sallyport/mfa"
)

// Maker makes devices, and vouches for them under a root of its own.
type Maker struct {
	Root *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Model is what a Maker says of a device. Its certificate is good from a year before Now to a year
// after it.
type Model struct {
	AAGUID [16]byte // in the certificate; zero: it has none
	Now    time.Time
}

var aaguidOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}

// NewMaker returns a maker whose root is good for ten years around a time.
func NewMaker(now time.Time) (*Maker, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test root of authenticators"}, NotBefore: now.AddDate(-10, 0, 0),
		NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if root, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return &Maker{Root: root, key: key}, nil
}

// PEM returns the root as a file.
func (m *Maker) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Root.Raw})
}

// Attest replaces the attestation of a response to creation options: packed, signed with the key of
// a certificate of the maker (WebAuthn Level 3 section 8.2).
func (m *Maker) Attest(r mfa.Response, model Model) (mfa.Response, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: model.Now.AddDate(-1, 0, 0), NotAfter: model.Now.AddDate(1, 0, 0), BasicConstraintsValid: true,
		Subject: pkix.Name{Country: []string{"DE"}, Organization: []string{"Test"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Test"}}
	if model.AAGUID != [16]byte{} {
		value, err := asn1.Marshal(model.AAGUID[:])
		if err != nil {
			return nil, err
		}
		leaf.ExtraExtensions = []pkix.Extension{{Id: aaguidOID, Value: value}}
	}
	return attest(r, m.Issue(leaf, key), func(digest []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, key, digest) })
}

// AttestItself is Attest by the new key itself (self attestation).
func (d *Device) AttestItself(r mfa.Response) (mfa.Response, error) {
	return attest(r, nil, d.Credential.Key.Sign)
}

// AttestNothing removes the attestation of a response, as browsers do that were not asked for it.
func AttestNothing(r mfa.Response) (mfa.Response, error) { return attest(r, nil, nil) }

// attest replaces the attestation by a packed one with a signature; without one there is none.
func attest(r mfa.Response, certificate []byte, sign func(digest []byte) ([]byte, error)) (mfa.Response, error) {
	if sign == nil {
		return stated(r, "none", func([]byte) ([]byte, error) { return []byte{0xa0}, nil })
	}
	return stated(r, "packed", func(signed []byte) ([]byte, error) {
		digest := sha256.Sum256(signed)
		signature, err := sign(digest[:])
		if err != nil {
			return nil, err
		}
		statement, head := append(append(cborText("alg"), 0x26), append(cborText("sig"), cborBytes(signature)...)...), byte(0xa2)
		if certificate != nil {
			statement, head = append(append(statement, append(cborText("x5c"), 0x81)...), cborBytes(certificate)...), 0xa3
		}
		return append([]byte{head}, statement...), nil
	})
}

// stated replaces the attestation of a response by a statement about what the device signs: the
// authenticator data and the hash of the client data.
func stated(r mfa.Response, format string, statement func(signed []byte) ([]byte, error)) (mfa.Response, error) {
	out, part, err := partsOf(r)
	if err != nil {
		return nil, err
	}
	data := authData(member(part, "attestationObject"))
	if data == nil {
		return nil, errors.New("there is no authenticator data")
	}
	hash := sha256.Sum256(member(part, "clientDataJSON"))
	text, err := statement(append(bytes.Clone(data), hash[:]...))
	if err != nil {
		return nil, err
	}
	// CBOR (RFC 8949) in canonical order.
	object := append([]byte{0xa3}, append(cborText("fmt"), cborText(format)...)...)
	object = append(append(object, cborText("attStmt")...), text...)
	object = append(append(object, cborText("authData")...), cborBytes(data)...)
	part["attestationObject"] = base64.RawURLEncoding.EncodeToString(object)
	return json.Marshal(out)
}

// authData returns the authenticator data of an attestation object; nil: there are none.
func authData(object []byte) []byte {
	_, after, found := bytes.Cut(object, cborText("authData"))
	switch {
	case found && len(after) > 2 && after[0] == 0x58 && len(after) >= 2+int(after[1]):
		return after[2 : 2+int(after[1])]
	case found && len(after) > 3 && after[0] == 0x59 && len(after) >= 3+int(binary.BigEndian.Uint16(after[1:3])):
		return after[3 : 3+int(binary.BigEndian.Uint16(after[1:3]))]
	}
	return nil
}

func cborText(s string) []byte { return append([]byte{0x60 | byte(len(s))}, s...) }

func cborBytes(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x59}, uint16(len(b))), b...) //nolint:gosec // shorter than 64 KiB
}

// Issue signs a certificate for a key.
func (m *Maker) Issue(leaf *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, leaf, m.Root, key.Public(), m.key)
	if err != nil {
		return nil
	}
	return der
}
