package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"time"

	"sallyport/storage"
)

// Entry is what metadata say of a model.
type Entry struct {
	AAGUID     [16]byte
	Root       *x509.Certificate // that its attestations lead to
	Protection string            // of its keys, such as "hardware"
	Statuses   []string          // after its certification
}

// Metadata returns a BLOB of the FIDO Metadata Service about a model, which the maker signs. Its
// successor is due on a day.
func (m *Maker) Metadata(e Entry, next, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := m.Issue(&x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "metadata"}, DNSNames: []string{"mds.fidoalliance.org"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(3, 0, 0)}, key)
	id := storage.FromBytes[string](e.AAGUID)
	reports := []map[string]any{{"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2020-01-01"}}
	for _, s := range e.Statuses {
		reports = append(reports, map[string]any{"status": s, "effectiveDate": "2021-01-01"})
	}
	statement := map[string]any{"aaguid": id, "description": "Key", "protocolFamily": "fido2", "schema": 3, "attestationTypes": []string{"basic_full"},
		"keyProtection": []string{e.Protection}, "attestationRootCertificates": []string{base64.StdEncoding.EncodeToString(e.Root.Raw)}}
	signed := ""
	for i, part := range []map[string]any{
		{"alg": "ES256", "x5c": [][]byte{leaf}},
		{"no": 1, "nextUpdate": next.Format(time.DateOnly), "entries": []any{
			map[string]any{"aaguid": id, "timeOfLastStatusChange": "2021-01-01", "statusReports": reports, "metadataStatement": statement}}},
	} {
		text, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			signed += "."
		}
		signed += base64.RawURLEncoding.EncodeToString(text)
	}
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return []byte(signed + "." + base64.RawURLEncoding.EncodeToString(signature) + "\n"), nil
}
