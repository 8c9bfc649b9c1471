package passkey

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/metadata"

	"sallyport/input"
	"sallyport/storage"
)

// metadataSigner is the name in the certificate that signs the metadata of the FIDO Alliance. Its root
// signs those of others, too.
const metadataSigner = "mds.fidoalliance.org"

// readMetadata reads and verifies a BLOB of the FIDO Metadata Service (FIDO Metadata Service 3.1 section
// 3.2). It asks nobody about revoked certificates: a server reads files only.
func readMetadata(files TrustFiles, now time.Time) (map[[16]byte]model, time.Time, error) {
	var none time.Time
	text, err := os.ReadFile(files.Metadata)
	if err != nil {
		return nil, none, err
	}
	body, err := verifyMetadata(strings.TrimSpace(string(input.WithoutMark(text))), files.MetadataRoot, now)
	if err != nil {
		return nil, none, fmt.Errorf("%s: %w", files.Metadata, err)
	}
	var payload metadata.PayloadJSON
	if err := json.Unmarshal(body, &payload); err != nil {
		return nil, none, fmt.Errorf("%s: %w", files.Metadata, err)
	}
	// Entries of a later version that cannot be read are of models that nothing vouches for.
	decoder, err := metadata.NewDecoder(metadata.WithIgnoreEntryParsingErrors())
	if err != nil {
		return nil, none, fmt.Errorf("%s: %w", files.Metadata, err)
	}
	parsed, err := decoder.Parse(&payload)
	if err != nil {
		return nil, none, fmt.Errorf("%s: %w", files.Metadata, err)
	}
	models := map[[16]byte]model{}
	for _, e := range parsed.Parsed.Entries {
		if id := [16]byte(e.AaGUID); id != [16]byte{} {
			protection := e.MetadataStatement.KeyProtection
			models[id] = model{roots: e.MetadataStatement.AttestationRootCertificates, reports: e.StatusReports,
				hardware: slices.Contains(protection, "hardware") && !slices.Contains(protection, "software")}
		}
	}
	for _, e := range parsed.Unparsed {
		if id, ok := storage.Bytes(strings.ToLower(e.EntryJSON.AaGUID)); ok {
			models[id] = model{}
		}
	}
	return models, parsed.Parsed.NextUpdate.Add(metadataGrace), nil
}

// verifyMetadata returns the payload of a BLOB, a JWS in compact form, that was signed below a root.
func verifyMetadata(blob, rootFile string, now time.Time) ([]byte, error) {
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	roots, err := metadataRoots(rootFile)
	if err != nil {
		return nil, err
	}
	for _, c := range roots {
		options.Roots.AddCert(c)
	}
	if rootFile == "" {
		options.DNSName = metadataSigner
	}
	parts := strings.Split(blob, ".")
	if len(parts) != 3 {
		return nil, errors.New("is no signed BLOB")
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return nil, fmt.Errorf("part %d: %w", i+1, err)
		}
	}
	var header struct {
		Algorithm string   `json:"alg"`
		Chain     [][]byte `json:"x5c"` // RFC 7515 section 4.1.6: base64, not base64url
	}
	if err := json.Unmarshal(decoded[0], &header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	var signer *x509.Certificate
	for i, der := range header.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		if i == 0 {
			signer = c
			continue
		}
		options.Intermediates.AddCert(c)
	}
	if signer == nil {
		return nil, errors.New("names no certificate")
	}
	if _, err := signer.Verify(options); err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	return decoded[1], checkSignature(signer, header.Algorithm, parts[0]+"."+parts[1], decoded[2])
}

func metadataRoots(file string) ([]*x509.Certificate, error) {
	if file != "" {
		return readCertificates(file)
	}
	der, err := base64.StdEncoding.DecodeString(metadata.ProductionMDSRoot)
	if err != nil {
		return nil, fmt.Errorf("root of the FIDO Alliance: %w", err)
	}
	root, err := x509.ParseCertificate(der)
	return []*x509.Certificate{root}, err
}

// checkSignature verifies a signature of RFC 7518 section 3.3 or 3.4.
func checkSignature(c *x509.Certificate, algorithm, signed string, signature []byte) error {
	wrong := errors.New("the signature is wrong")
	switch key, _ := c.PublicKey.(*ecdsa.PublicKey); {
	case algorithm == "RS256":
		if c.CheckSignature(x509.SHA256WithRSA, []byte(signed), signature) != nil {
			return wrong
		}
		return nil
	case algorithm == "ES256" && key != nil:
		sum := sha256.Sum256([]byte(signed))
		if len(signature) != 64 || !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			return wrong
		}
		return nil
	}
	return fmt.Errorf("is signed with %q; want RS256 or ES256", algorithm)
}
