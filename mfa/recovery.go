package mfa

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"sallyport/storage"
)

// RecoveryName is the name of the method.
const RecoveryName = "recovery"

const (
	recoveryBytes = 15 // 24 base32 characters, 120 bits
	recoveryGroup = 6
)

// RecoveryStore is what Recovery reads.
type RecoveryStore interface {
	RecoveryCodes(ctx context.Context, user storage.UserID) ([]string, error)
}

// Recovery is the method "recovery": single-use codes kept for the day the phone is
// lost (NIST SP 800-63B section 5.1.2, look-up secrets).
type Recovery struct {
	store  RecoveryStore
	random io.Reader
}

// NewRecovery returns the method "recovery".
func NewRecovery(store RecoveryStore, random io.Reader) *Recovery {
	return &Recovery{store: store, random: random}
}

// Info says what the method is. Its codes count as "otp": RFC 8176 has no better word.
func (m *Recovery) Info() Info {
	return Info{Name: RecoveryName, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"},
		Second: true, Typed: true, Bucket: BucketFactor}
}

// Parse refuses what has the shape of no recovery code before anything is counted.
func (m *Recovery) Parse(_ Attempt, r Response) error {
	_, err := typedRecovery(r)
	return err
}

// Begin does nothing: the codes are on paper.
func (m *Recovery) Begin(context.Context, Attempt) (Challenge, State, error) { return nil, nil, nil }

// Finish looks for the code among the unused ones, comparing all of them.
func (m *Recovery) Finish(ctx context.Context, a Attempt, _ State, r Response) (Proof, error) {
	code, err := typedRecovery(r)
	if err != nil {
		return Proof{}, err
	}
	own := m.own(a)
	user := storage.UserID("00000000-0000-0000-0000-000000000000") // nobody; read all the same
	if own != nil {
		user = a.Account.User.ID
	}
	codes, err := m.store.RecoveryCodes(ctx, user)
	if err != nil {
		return Proof{}, fmt.Errorf("read recovery codes: %w", err)
	}
	found := 0
	for _, c := range codes {
		found |= subtle.ConstantTimeCompare([]byte(c), []byte(code))
	}
	if own == nil || found == 0 {
		return Proof{}, &Error{Code: InvalidPasscode}
	}
	i := m.Info()
	return Proof{User: user, Authenticator: own.ID, Kinds: i.Kinds, AMR: i.AMR,
		Spend: storage.CredentialSpend{User: user, Authenticator: own.ID, Code: code}}, nil
}

func (m *Recovery) own(a Attempt) *storage.Authenticator {
	if a.Account == nil || a.Account.User.Status == storage.UserDisabled {
		return nil
	}
	for i := range a.Account.Authenticators {
		x := &a.Account.Authenticators[i]
		if x.Method == RecoveryName && x.State == storage.AuthenticatorActive &&
			(a.Authenticator == nil || a.Authenticator.ID == x.ID) {
			return x
		}
	}
	return nil
}

// Codes makes n new codes, canonical.
func (m *Recovery) Codes(n int) ([]string, error) {
	out := make([]string, 0, n)
	for range n {
		var b [recoveryBytes]byte
		if _, err := io.ReadFull(m.random, b[:]); err != nil {
			return nil, fmt.Errorf("make recovery codes: %w", err)
		}
		out = append(out, strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])))
	}
	return out, nil
}

// set makes a new set of codes for a user.
func (m *Recovery) set(n int, user storage.UserID, now time.Time) (storage.RecoverySet, error) {
	codes, err := m.Codes(n)
	if err != nil {
		return storage.RecoverySet{}, err
	}
	return storage.RecoverySet{Codes: codes, Authenticator: storage.Authenticator{
		ID: storage.AuthenticatorID(storage.Random128(m.random)), UserID: user, Method: RecoveryName, Origin: "login",
		State: storage.AuthenticatorActive, Data: recoveryData(n), CreatedAt: now, UpdatedAt: now}}, nil
}

// recoveryData says how many codes a set began with, so that its counter tells how
// many are left.
func recoveryData(codes int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"uses":%d}`, codes))
}

func typedRecovery(r Response) (string, error) {
	var typed string
	if err := json.Unmarshal(r, &typed); err != nil {
		return "", &Error{Code: InvalidRequest}
	}
	code, ok := CanonicalRecovery(typed)
	if !ok {
		return "", &Error{Code: InvalidRequest}
	}
	return code, nil
}

// CanonicalRecovery is the one spelling of a recovery code: lower case, without the
// spaces and dashes it is shown with. Every surface takes codes of every shape: 24
// base32 characters of ours, 12 characters (xxxx-xxxx-xxxx) and 10 (xxxxx-xxxxx).
func CanonicalRecovery(typed string) (string, bool) {
	if len(typed) > 128 {
		return "", false
	}
	code := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r): // copied texts bring all sorts of dashes
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, typed)
	letters := "0123456789abcdefghijklmnopqrstuvwxyz"
	if len(code) == 24 {
		letters = "abcdefghijklmnopqrstuvwxyz234567"
	}
	if !slices.Contains([]int{10, 12, 24}, len(code)) || strings.Trim(code, letters) != "" {
		return "", false
	}
	return code, true
}

// ShowRecovery writes a canonical code as people read it.
func ShowRecovery(code string) string {
	size := map[int]int{10: 5, 12: 4, 24: recoveryGroup}[len(code)]
	if size == 0 {
		return code
	}
	var groups []string
	for part := range slices.Chunk([]byte(code), size) {
		groups = append(groups, string(part))
	}
	shown := strings.Join(groups, "-")
	if len(code) == 24 {
		return strings.ToUpper(shown)
	}
	return shown
}

// ImportRecovery reads a set of codes made elsewhere.
func ImportRecovery(typed []string) (storage.Authenticator, []string, error) {
	codes := make([]string, 0, len(typed))
	for _, text := range typed {
		code, ok := CanonicalRecovery(text)
		if !ok {
			return storage.Authenticator{}, nil, &Error{Code: InvalidRequest, Err: errors.New("a recovery code has none of the known shapes")}
		}
		codes = append(codes, code)
	}
	return storage.Authenticator{Method: RecoveryName, Data: recoveryData(len(codes))}, codes, nil
}
