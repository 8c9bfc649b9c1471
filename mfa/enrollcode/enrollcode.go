// Package enrollcode implements enrollment codes. After an administrator has reset a user's
// factors, the password alone must not enrol the next one: the user also types a code that the
// administrator passes on, or one that is mailed to an address proven before.
//
// What demands the code is an authenticator of the user, the demand. It holds the keyed hashes
// of the codes and is deleted in the transaction that confirms the enrolment.
package enrollcode

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/recovery"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/seal"
)

//go:embed messages
var texts embed.FS

// Name is the name of the method. It is no factor: no policy counts it and no page offers it.
const Name = "enrollment_code"

const (
	// MailLife is how long a mailed code is valid (NIST SP 800-63B-4 section 4.2.1.2 allows 24 hours).
	MailLife = 30 * time.Minute
	// Pause is the time between the first two mails. It doubles with each one in mailWindow, up to
	// maxPause: whoever stole the password cannot keep the owner from a code for longer, nor fill
	// the mailbox.
	Pause      = time.Minute
	maxPause   = time.Hour
	mailWindow = 24 * time.Hour
	mailCodes  = 100_000_000 // of eight digits
)

// DefaultLife is how long the code of an administrator is valid if no setting says otherwise.
const DefaultLife = 7 * 24 * time.Hour

// Info describes the method.
func Info() mfa.Info {
	return mfa.Info{Name: Name, Texts: texts, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"}, Typed: true, Bucket: throttle.Factor}
}

// issued is a code that was issued, as a keyed hash.
type issued struct {
	Hash  []byte    `json:"hash"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
}

// secret is what a demand stores, sealed.
type secret struct {
	Operator issued   `json:"operator"`
	Mailed   []issued `json:"mailed,omitempty"` // in mailWindow
}

// Of returns the demand of an account, disabled or not; nil: there is none.
func Of(a *storage.Account) *storage.Authenticator {
	for i := range a.Authenticators {
		if x := &a.Authenticators[i]; x.Method == Name && x.State != storage.AuthenticatorPending {
			return x
		}
	}
	return nil
}

// Addresses returns the e-mail addresses that codes are mailed to: those proven before the
// reset. Whoever stole the password could prove an address of their own afterwards.
func Addresses(a *storage.Account) []string {
	var out []string
	demand := Of(a)
	for _, i := range a.Identifiers {
		if demand != nil && i.Kind == storage.Email && !i.VerifiedAt.IsZero() && !i.VerifiedAt.After(demand.CreatedAt) {
			out = append(out, i.Text())
		}
	}
	return out
}

// Method implements mfa.Method with the codes of a demand. A right code stays right until the
// enrolment is confirmed, which deletes the demand.
type Method struct {
	keyring *seal.Keyring
	random  io.Reader
}

// New returns a Method.
func New(k *seal.Keyring, random io.Reader) *Method { return &Method{k, random} }

// Info describes the method.
func (m *Method) Info() mfa.Info { return Info() }

// Demand returns a new demand of a user, and the code for the administrator to pass on. A
// demand that the user has already keeps its beginning, so that an address proven under it gets
// no mail.
func (m *Method) Demand(a *storage.Account, life time.Duration, now time.Time) (storage.Authenticator, string, error) {
	code, err := recovery.NewCode(m.random)
	if err != nil {
		return storage.Authenticator{}, "", err
	}
	x := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(m.random)), UserID: a.User.ID, Method: Name, Origin: "admin",
		State: storage.AuthenticatorActive, CreatedAt: now, UpdatedAt: now}
	if earlier := Of(a); earlier != nil {
		x.CreatedAt = earlier.CreatedAt
	}
	one, err := m.issue(x.ID, code, now, life)
	if err != nil {
		return x, "", err
	}
	x.Secret, err = json.Marshal(secret{Operator: one})
	return x, recovery.Show(code), mfa.Wrap("write codes", err)
}

// Mail returns the change of a demand that adds a code to be mailed, and the code. It returns
// TooManyMessages during the pause.
func (m *Method) Mail(demand storage.Authenticator, now time.Time) (storage.CredentialSpend, string, error) {
	s := read(demand)
	s.Mailed = slices.DeleteFunc(s.Mailed, func(c issued) bool { return !c.At.After(now.Add(-mailWindow)) })
	if wait := s.wait(now); wait > 0 {
		return storage.CredentialSpend{}, "", &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: wait}
	}
	n, err := mfa.Uniform(m.random, mailCodes)
	if err != nil {
		return storage.CredentialSpend{}, "", fmt.Errorf("make code: %w", err)
	}
	code := fmt.Sprintf("%08d", n)
	one, err := m.issue(demand.ID, code, now, MailLife)
	if err != nil {
		return storage.CredentialSpend{}, "", err
	}
	s.Mailed = append(s.Mailed, one)
	text, err := json.Marshal(s)
	return storage.CredentialSpend{User: demand.UserID, Authenticator: demand.ID, Secret: text, Was: demand.Counter, Changed: true},
		code, mfa.Wrap("write codes", err)
}

// wait returns how long no code is mailed.
func (s secret) wait(now time.Time) time.Duration {
	n := len(s.Mailed)
	if n == 0 {
		return 0
	}
	pause := min(Pause<<min(n-1, 6), maxPause)
	return max(s.Mailed[n-1].At.Add(pause).Sub(now), 0)
}

func (m *Method) issue(id storage.AuthenticatorID, code string, now time.Time, life time.Duration) (issued, error) {
	hash := m.keyring.Hash(purpose, input(id, code))
	if hash == nil {
		return issued{}, errors.New("hash code: no key")
	}
	return issued{Hash: hash, At: now, Until: now.Add(life)}, nil
}

const purpose = "enrollment code"

// input is what the keyed hash of a code is made of: a code is one of its own demand only.
func input(id storage.AuthenticatorID, code string) string { return string(id) + "|" + code }

// read reads the secret of a demand. Of one that does not open no code is right.
func read(demand storage.Authenticator) secret {
	var s secret
	if demand.Broken || json.Unmarshal(demand.Secret, &s) != nil {
		return secret{}
	}
	return s
}

// Parse returns InvalidRequest for what cannot be a code.
func (m *Method) Parse(_ mfa.Attempt, r mfa.Response) error {
	_, err := parse(r)
	return err
}

func parse(r mfa.Response) (string, error) {
	typed, err := r.Code()
	if err != nil {
		return "", err
	}
	code, ok := recovery.Canonical(typed)
	if !ok {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return code, nil
}

// Begin does nothing: codes are issued by the administrator, or by Mail.
func (m *Method) Begin(context.Context, mfa.Attempt) (mfa.Begun, error) { return mfa.Begun{}, nil }

// Finish compares a code with all that were issued. It returns PasscodeExpired for a right one
// after its time, and InvalidPasscode for any other.
func (m *Method) Finish(_ context.Context, a mfa.Attempt, _ mfa.State, r mfa.Response) (mfa.Proof, error) {
	code, err := parse(r)
	if err != nil {
		return mfa.Proof{}, err
	}
	own := a.Active(Name)
	if own == nil {
		return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidPasscode}
	}
	s := read(*own)
	right, inTime := false, false
	for _, c := range append(s.Mailed, s.Operator) {
		same := m.keyring.IsHash(purpose, input(own.ID, code), c.Hash)
		right, inTime = right || same, inTime || same && a.Now.Before(c.Until)
	}
	switch {
	case !right:
		return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidPasscode}
	case !inTime:
		return mfa.Proof{}, &mfa.Error{Code: mfa.PasscodeExpired}
	}
	i := m.Info()
	return mfa.Proof{User: own.UserID, Authenticator: own.ID, Kinds: i.Kinds, AMR: i.AMR,
		Spend: storage.CredentialSpend{User: own.UserID, Authenticator: own.ID}}, nil
}
