package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"time"

	"sallyport/mfa"
)

// Object identifiers of the Trusted Computing Group: the name of a TPM (TPMv2-EK-Profile section
// 3.2.9), and the use of a certificate for attestation (WebAuthn Level 3 section 8.3.1).
var (
	tpmManufacturer = asn1.ObjectIdentifier{2, 23, 133, 2, 1}
	tpmModel        = asn1.ObjectIdentifier{2, 23, 133, 2, 2}
	tpmVersion      = asn1.ObjectIdentifier{2, 23, 133, 2, 3}
	tpmUse          = asn1.ObjectIdentifier{2, 23, 133, 8, 3}
)

// TPM is a chip in the device that attests its key.
type TPM struct {
	Maker *Maker
	Now   time.Time
	Other bool // it certifies another key than that of the response
}

// Attest replaces the attestation of a device's response to creation options by one of the TPM
// (WebAuthn Level 3 section 8.3).
func (t TPM) Attest(d *Device, r mfa.Response) (mfa.Response, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := t.certificate(key)
	if err != nil {
		return nil, err
	}
	return stated(r, "tpm", func(signed []byte) ([]byte, error) {
		area := publicArea(d.Credential.Key.AttestationData())
		certified := area
		if t.Other {
			certified = publicArea(newCredential().Key.AttestationData())
		}
		info := certifyInfo(sha256.Sum256(signed), certified)
		digest := sha256.Sum256(info)
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		out := append([]byte{0xa6}, append(cborText("alg"), 0x26)...)
		out = append(append(out, cborText("sig")...), cborBytes(signature)...)
		out = append(append(out, cborText("ver")...), cborText("2.0")...)
		out = append(append(append(out, cborText("x5c")...), 0x81), cborBytes(certificate)...)
		out = append(append(out, cborText("pubArea")...), cborBytes(area)...)
		return append(append(out, cborText("certInfo")...), cborBytes(info)...), nil
	})
}

// certificate issues the certificate of the chip's attestation key.
func (t TPM) certificate(key *ecdsa.PrivateKey) ([]byte, error) {
	name := pkix.RDNSequence{{{Type: tpmManufacturer, Value: "id:494E5443"}}, {{Type: tpmModel, Value: "Test"}}, {{Type: tpmVersion, Value: "id:0002"}}}
	der, err := asn1.Marshal(name)
	if err != nil {
		return nil, err
	}
	names, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: der}})
	if err != nil {
		return nil, err
	}
	return t.Maker.Issue(&x509.Certificate{SerialNumber: big.NewInt(3), NotBefore: t.Now.AddDate(-1, 0, 0), NotAfter: t.Now.AddDate(1, 0, 0), BasicConstraintsValid: true,
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{tpmUse},
		ExtraExtensions:    []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: names}}}, key), nil
}

// Numbers of TPM 2.0 Part 2: Structures.
const (
	algECC, algSHA256, algNull, curveP256 = 0x0023, 0x000b, 0x0010, 0x0003
	keyAttributes                         = 0x00040072 // signs; made in this chip, and never leaves it
	generated, attestCertify              = 0xff544347, 0x8017
)

// publicArea is a TPMT_PUBLIC with the point of a COSE key of curve P-256.
func publicArea(cose []byte) []byte {
	const x, y = 10, 45 // where the coordinates begin
	b := binary.BigEndian
	out := b.AppendUint32(b.AppendUint16(b.AppendUint16(nil, algECC), algSHA256), keyAttributes)
	out = b.AppendUint16(out, 0) // authPolicy
	for _, n := range []uint16{algNull, algNull, curveP256, algNull} {
		out = b.AppendUint16(out, n)
	}
	return sized(sized(out, cose[x:x+32]), cose[y:y+32])
}

// certifyInfo is a TPMS_ATTEST: the chip says that it holds the key of a public area.
func certifyInfo(extra [sha256.Size]byte, area []byte) []byte {
	b, sum := binary.BigEndian, sha256.Sum256(area)
	out := b.AppendUint16(b.AppendUint32(nil, generated), attestCertify)
	out = sized(sized(out, nil), extra[:])                                           // qualifiedSigner, extraData
	out = append(append(out, make([]byte, 8+4+4)...), 1)                             // clockInfo
	out = append(out, make([]byte, 8)...)                                            // firmwareVersion
	return sized(sized(out, append(b.AppendUint16(nil, algSHA256), sum[:]...)), nil) // name, qualifiedName
}

func sized(out, part []byte) []byte {
	return append(binary.BigEndian.AppendUint16(out, uint16(len(part))), part...) //nolint:gosec // shorter than 64 KiB
}
