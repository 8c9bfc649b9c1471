package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"sallyport/storage"
)

// rsaBits suffices for the 90 days of a signing key (NIST SP 800-57 part 1 table 2).
const rsaBits = 2048

// symmetric returns the uses with one key per server, in the order of First.
func symmetric() []string {
	return []string{"data", "hash", "pepper", "subject", "session", "token", pairwise}
}

// DialectAlg is the algorithm of the JWTs of the dialects: their SDKs verify no other.
const DialectAlg = "RS256"

func signing(use string) bool { return use == "oidc" || use == "dialect" }

// NewKey returns a new key, active immediately and sealed under the current KEK. Only for
// signing keys can alg be chosen.
func (k *Keyring) NewKey(use, alg string, now time.Time) (storage.Key, error) {
	keks := *k.keks.Load()
	if len(keks) == 0 {
		return storage.Key{}, errors.New("new key: no key-encryption key")
	}
	material, err := k.material(use, alg)
	if err != nil {
		return storage.Key{}, fmt.Errorf("new key: %w", err)
	}
	if use == "data" {
		alg = extended
	}
	now = now.UTC().Truncate(time.Microsecond)
	row := storage.Key{
		ID: storage.KeyID(storage.TimeOrdered(now, k.random)), Use: use, Alg: alg,
		KEK: keks[0].ID, CreatedAt: now, ActiveAt: now,
	}
	if row.Sealed, err = wrap(keks[0], row, material); err != nil {
		return storage.Key{}, fmt.Errorf("new key: %w", err)
	}
	return row, nil
}

func (k *Keyring) material(use, alg string) ([]byte, error) {
	switch {
	case slices.Contains(symmetric(), use) && alg == "":
		material := make([]byte, keyLength)
		if _, err := io.ReadFull(k.random, material); err != nil {
			return nil, err
		}
		return material, nil
	case signing(use):
		signer, err := newSigner(alg, k.random)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(signer)
	}
	return nil, fmt.Errorf("no such key: use %q, algorithm %q", use, alg)
}

func newSigner(alg string, random io.Reader) (crypto.Signer, error) {
	switch alg {
	case "RS256", "PS256":
		return rsa.GenerateKey(random, rsaBits)
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), random)
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(random)
		return key, err
	}
	return nil, fmt.Errorf("no such algorithm: %q", alg)
}

// First returns the keys of a new server: one of each symmetric use, and an "oidc" key for
// each algorithm.
func (k *Keyring) First(now time.Time, algs ...string) ([]storage.Key, error) {
	var rows []storage.Key
	add := func(use, alg string) error {
		row, err := k.NewKey(use, alg, now)
		rows = append(rows, row)
		return err
	}
	for _, use := range symmetric() {
		if err := add(use, ""); err != nil {
			return nil, err
		}
	}
	for _, alg := range algs {
		if err := add("oidc", alg); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// Rewrap seals a row under the current KEK. The key itself stays the same.
func (k *Keyring) Rewrap(row storage.Key) (storage.Key, error) {
	keks := *k.keks.Load()
	kek, ok := kekOf(keks, row.KEK)
	if !ok {
		return storage.Key{}, fmt.Errorf("rewrap key %q: sealed under an unknown key-encryption key", row.ID)
	}
	material, err := unwrap(kek, row)
	if err != nil {
		return storage.Key{}, fmt.Errorf("rewrap key %q: %w", row.ID, err)
	}
	row.KEK = keks[0].ID
	if row.Sealed, err = wrap(keks[0], row, material); err != nil {
		return storage.Key{}, fmt.Errorf("rewrap key %q: %w", row.ID, err)
	}
	return row, nil
}

// prepare derives from key material what its use needs. A key of an unknown use is kept
// unused, so that a newer server may run beside this one.
func (o *opened) prepare(material []byte) error {
	if signing(o.row.Use) {
		return o.prepareSigner(material)
	}
	if !slices.Contains(symmetric(), o.row.Use) {
		return nil
	}
	if len(material) != keyLength {
		return errors.New("wrong length")
	}
	var err error
	switch o.row.Use {
	case "data":
		if o.extended, err = newXAES(material); err != nil {
			return err
		}
		o.box, err = newBox(material)
		return err
	case "pepper":
		o.pepper = material
		return nil
	}
	// The purposes of one key never share bytes (RFC 5869).
	if o.mac, err = derived(material, "mac"); err != nil {
		return err
	}
	o.mask, err = derived(material, "mask")
	return err
}

func derived(material []byte, purpose string) (*macKey, error) {
	key, err := hkdf.Expand(sha256.New, material, purpose, keyLength)
	return &macKey{key: key}, err
}

func (o *opened) prepareSigner(material []byte) error {
	parsed, err := x509.ParsePKCS8PrivateKey(material)
	if err != nil {
		return errors.New("not a private key")
	}
	ok := false
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		o.signer, ok = key, (o.row.Alg == "RS256" || o.row.Alg == "PS256") && key.N.BitLen() >= rsaBits
	case *ecdsa.PrivateKey:
		o.signer, ok = key, o.row.Alg == "ES256" && key.Curve == elliptic.P256()
	case ed25519.PrivateKey:
		o.signer, ok = key, o.row.Alg == "EdDSA"
	}
	if !ok {
		return fmt.Errorf("the private key does not match algorithm %q", o.row.Alg)
	}
	return nil
}

// Signing is a key that signs, or only verifies.
type Signing struct {
	ID                             storage.KeyID
	Alg                            string
	Key                            crypto.Signer
	ActiveAt, RetiredAt, ExpiresAt time.Time
}

// Format hides the key from every verb of package fmt.
func (s Signing) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String names the key without showing it.
func (s Signing) String() string {
	return "Signing(" + string(s.ID) + ", " + s.Alg + ", " + hidden + ")"
}

// MarshalJSON hides the key.
func (s Signing) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue hides the key.
func (s Signing) LogValue() slog.Value { return slog.StringValue(s.String()) }

// ActiveOn reports whether the key signs at a time; otherwise it is only published.
func (s Signing) ActiveOn(now time.Time) bool {
	return !now.Before(s.ActiveAt) && (s.RetiredAt.IsZero() || now.Before(s.RetiredAt))
}

// Signings returns the published signing keys of a use, newest first.
func (k *Keyring) Signings(use string) []Signing {
	if !signing(use) {
		return nil
	}
	keys := slices.Clone(k.state.Load().byUse[use])
	slices.SortStableFunc(keys, func(a, b *opened) int { return b.row.ActiveAt.Compare(a.row.ActiveAt) })
	out := make([]Signing, 0, len(keys))
	for _, key := range keys {
		out = append(out, Signing{
			ID: key.row.ID, Alg: key.row.Alg, Key: key.signer,
			ActiveAt: key.row.ActiveAt, RetiredAt: key.row.RetiredAt, ExpiresAt: key.row.ExpiresAt,
		})
	}
	return out
}
