// Package recovery implements the method "recovery": single-use codes for use when the
// authenticator app is lost.
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

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

//go:embed messages
var texts embed.FS

// Name is the name of the method.
const Name = "recovery"

const (
	codeBytes = 15 // 24 base32 characters, 120 bits
	groupSize = 6
	shortest  = 8  // characters
	longest   = 64 // characters
)

// Store is the part of storage that Method reads.
type Store interface {
	RecoveryCodes(ctx context.Context, user storage.UserID) ([]string, error)
}

// Method implements mfa.Method with single-use codes (NIST SP 800-63B section 5.1.2, look-up
// secrets).
type Method struct {
	store  Store
	random io.Reader
}

// New returns a Method.
func New(store Store, random io.Reader) *Method {
	return &Method{store: store, random: random}
}

// Info describes the method. The amr is "otp": RFC 8176 has no closer value.
func (m *Method) Info() mfa.Info {
	return mfa.Info{Name: Name, Texts: texts, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"},
		Second: true, Typed: true, Bucket: throttle.Factor}
}

// Parse returns InvalidRequest for anything but the form of a recovery code.
func (m *Method) Parse(_ mfa.Attempt, r mfa.Response) error {
	_, err := parseResponse(r)
	return err
}

// Begin does nothing: the user has the codes.
func (m *Method) Begin(context.Context, mfa.Attempt) (mfa.Begun, error) {
	return mfa.Begun{}, nil
}

// Finish compares the code with all unused ones. It returns InvalidPasscode if it is none of them.
func (m *Method) Finish(ctx context.Context, a mfa.Attempt, _ mfa.State, r mfa.Response) (mfa.Proof, error) {
	code, err := parseResponse(r)
	if err != nil {
		return mfa.Proof{}, err
	}
	own := a.Active(Name)
	user := storage.UserID("00000000-0000-0000-0000-000000000000") // unknown user; costs the same read
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

// Codes returns n new codes in canonical form.
func (m *Method) Codes(n int) ([]string, error) {
	out := make([]string, 0, n)
	for range n {
		code, err := NewCode(m.random)
		if err != nil {
			return nil, err
		}
		out = append(out, code)
	}
	return out, nil
}

// NewCode returns a new code in canonical form.
func NewCode(random io.Reader) (string, error) {
	var b [codeBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make recovery codes: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])), nil
}

// NewCodes returns n new codes in canonical form, of letters and digits in groups of these
// lengths together. InvalidRequest for a length that Canonical does not accept.
func NewCodes(random io.Reader, n int, groups []int) ([]string, error) {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	length := 0
	for _, g := range groups {
		length += g
	}
	if length != 10 && length != 12 {
		return nil, &mfa.Error{Code: mfa.InvalidRequest}
	}
	out := make([]string, 0, n)
	for range n {
		code := make([]byte, length)
		for i := range code {
			c, err := mfa.Uniform(random, uint32(len(letters)))
			if err != nil {
				return nil, fmt.Errorf("make recovery codes: %w", err)
			}
			code[i] = letters[c]
		}
		out = append(out, string(code))
	}
	return out, nil
}

// SetOf returns a set of canonical codes for a user, to be stored.
func SetOf(id storage.AuthenticatorID, user storage.UserID, codes []string, now time.Time) storage.RecoverySet {
	return storage.RecoverySet{Codes: codes, Authenticator: storage.Authenticator{ID: id, UserID: user, Method: Name,
		State: storage.AuthenticatorActive, Data: setData(len(codes)), CreatedAt: now, UpdatedAt: now}}
}

// NewSet returns a set of n new codes for a user, to be stored.
func (m *Method) NewSet(n int, user storage.UserID, now time.Time) (storage.RecoverySet, error) {
	codes, err := m.Codes(n)
	if err != nil {
		return storage.RecoverySet{}, err
	}
	return SetOf(storage.AuthenticatorID(storage.Random128(m.random)), user, codes, now), nil
}

// setData returns the data of a set of codes, from which mfa.UsesLeft counts.
func setData(codes int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"uses":%d}`, codes))
}

func parseResponse(r mfa.Response) (string, error) {
	typed, err := r.Code()
	if err != nil {
		return "", err
	}
	code, ok := Canonical(typed)
	if !ok {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return code, nil
}

// Shapes says which codes Canonical accepts.
const Shapes = "must be 8 to 64 letters (A to Z) and digits, in upper or lower case; spaces and dashes between them do not count"

// Canonical returns the canonical form of a recovery code: lower case, without spaces and
// dashes. It accepts those of other systems too, whatever their length, and returns false for
// what is not of Shapes. Shorter ones would have less than 20 bits (NIST SP 800-63B section
// 5.1.2.2).
func Canonical(typed string) (string, bool) {
	code := strings.ToLower(input.Code(typed))
	if len(code) < shortest || len(code) > longest || strings.Trim(code, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return "", false
	}
	return code, true
}

// Show returns the display form of a canonical code, in groups.
func Show(code string) string {
	size := len(code)
	switch {
	case len(code) == 24:
		size = groupSize
	case len(code)%5 == 0:
		size = 5
	case len(code)%4 == 0:
		size = 4
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

// Import returns the authenticator and the canonical codes of an imported set, and
// InvalidRequest for a malformed code and for one that is there twice.
func Import(typed []string) (storage.Authenticator, []string, error) {
	codes := make([]string, 0, len(typed))
	for _, text := range typed {
		code, ok := Canonical(text)
		if !ok {
			return storage.Authenticator{}, nil, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("a recovery code " + Shapes)}
		}
		if slices.Contains(codes, code) {
			return storage.Authenticator{}, nil, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("a recovery code is there twice")}
		}
		codes = append(codes, code)
	}
	return storage.Authenticator{Method: Name, Data: setData(len(codes))}, codes, nil
}

// ShowAll returns the display form of canonical codes.
func ShowAll(codes []string) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = Show(c)
	}
	return out
}
