// Package recovery is the method "recovery": single-use codes for the day the phone is lost.
package recovery

import (
	"context"
	"crypto/subtle"
	"embed"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

//go:embed messages
var texts embed.FS

// RecoveryName is the name of the method.
const Name = "recovery"

const (
	recoveryBytes = 15 // 24 base32 characters, 120 bits
	recoveryGroup = 6
)

// RecoveryStore is what Recovery reads.
type Store interface {
	RecoveryCodes(ctx context.Context, user storage.UserID) ([]string, error)
}

// Recovery is the method "recovery": single-use codes kept for the day the phone is
// lost (NIST SP 800-63B section 5.1.2, look-up secrets).
type Method struct {
	store  Store
	random io.Reader
}

// NewRecovery returns the method "recovery".
func New(store Store, random io.Reader) *Method {
	return &Method{store: store, random: random}
}

// Info says what the method is. Its codes count as "otp": RFC 8176 has no better word.
func (m *Method) Info() mfa.Info {
	return mfa.Info{Name: Name, Texts: texts, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"},
		Second: true, Typed: true, Bucket: throttle.Factor}
}

// Parse refuses what has the shape of no recovery code before anything is counted.
func (m *Method) Parse(_ mfa.Attempt, r mfa.Response) error {
	_, err := typedRecovery(r)
	return err
}

// Begin does nothing: the codes are on paper.
func (m *Method) Begin(context.Context, mfa.Attempt) (mfa.Challenge, mfa.State, error) {
	return nil, nil, nil
}

// Finish looks for the code among the unused ones, comparing all of them.
func (m *Method) Finish(ctx context.Context, a mfa.Attempt, _ mfa.State, r mfa.Response) (mfa.Proof, error) {
	code, err := typedRecovery(r)
	if err != nil {
		return mfa.Proof{}, err
	}
	own := m.own(a)
	user := storage.UserID("00000000-0000-0000-0000-000000000000") // nobody; read all the same
	if own != nil {
		user = a.Account.User.ID
	}
	codes, err := m.store.RecoveryCodes(ctx, user)
	if err != nil {
		return mfa.Proof{}, fmt.Errorf("read recovery codes: %w", err)
	}
	found := 0
	for _, c := range codes {
		found |= subtle.ConstantTimeCompare([]byte(c), []byte(code))
	}
	if own == nil || found == 0 {
		return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidPasscode}
	}
	i := m.Info()
	return mfa.Proof{User: user, Authenticator: own.ID, Kinds: i.Kinds, AMR: i.AMR,
		Spend: storage.CredentialSpend{User: user, Authenticator: own.ID, Code: code}}, nil
}

func (m *Method) own(a mfa.Attempt) *storage.Authenticator {
	if a.Account == nil || a.Account.User.Status == storage.UserDisabled {
		return nil
	}
	for i := range a.Account.Authenticators {
		x := &a.Account.Authenticators[i]
		if x.Method == Name && x.State == storage.AuthenticatorActive &&
			(a.Authenticator == nil || a.Authenticator.ID == x.ID) {
			return x
		}
	}
	return nil
}

// Codes makes n new codes, canonical.
func (m *Method) Codes(n int) ([]string, error) {
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
func (m *Method) NewSet(n int, user storage.UserID, now time.Time) (storage.RecoverySet, error) {
	codes, err := m.Codes(n)
	if err != nil {
		return storage.RecoverySet{}, err
	}
	return storage.RecoverySet{Codes: codes, Authenticator: storage.Authenticator{
		ID: storage.AuthenticatorID(storage.Random128(m.random)), UserID: user, Method: Name, Origin: "login",
		State: storage.AuthenticatorActive, Data: recoveryData(n), CreatedAt: now, UpdatedAt: now}}, nil
}

// recoveryData says how many codes a set began with, so that its counter tells how
// many are left.
func recoveryData(codes int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"uses":%d}`, codes))
}

func typedRecovery(r mfa.Response) (string, error) {
	var typed string
	if err := json.Unmarshal(r, &typed); err != nil {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	code, ok := Canonical(typed)
	if !ok {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return code, nil
}

// CanonicalRecovery is the one spelling of a recovery code: lower case, without the
// spaces and dashes it is shown with. Every surface takes codes of every shape: 24
// base32 characters of ours, 12 characters (xxxx-xxxx-xxxx) and 10 (xxxxx-xxxxx).
func Canonical(typed string) (string, bool) {
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
func Show(code string) string {
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
func Import(typed []string) (storage.Authenticator, []string, error) {
	codes := make([]string, 0, len(typed))
	for _, text := range typed {
		code, ok := Canonical(text)
		if !ok {
			return storage.Authenticator{}, nil, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("a recovery code has none of the known shapes")}
		}
		codes = append(codes, code)
	}
	return storage.Authenticator{Method: Name, Data: recoveryData(len(codes))}, codes, nil
}

// ShowAll writes canonical codes as people read them.
func ShowAll(codes []string) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = Show(c)
	}
	return out
}
