// Package passcode implements the methods "email" and "sms": codes sent to an address of the
// user (out-of-band authenticators, NIST SP 800-63B section 3.1.3), of six digits, or of nine to
// prove an address.
package passcode

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/seal"
)

//go:embed texts
var texts embed.FS

// Names of the methods.
const (
	Email = "email"
	SMS   = "sms"
)

const (
	digits     = 6 // of codes for any usage but an address
	defaultTTL = 10 * time.Minute
)

// Options of a Method.
type Options struct {
	Product string        // the sender named in messages
	TTL     time.Duration // of a code; 0: 10 minutes
	// NoFactor: only backends send codes; users cannot enrol the method.
	NoFactor bool
	// Toll returns the limit of text messages to a number, without the day, and false if
	// none are sent to its country; nil: messages are sent to every address.
	Toll func(number string) (storage.Toll, bool)
}

// Method implements mfa.Addressed. The state of a try has the code as a keyed hash, and the
// exchange counts the tries.
type Method struct {
	info    mfa.Info
	kind    storage.IdentifierKind
	send    string // kind of the message
	keyring *seal.Keyring
	random  io.Reader
	o       Options
}

// NewEmail returns the method "email".
func NewEmail(k *seal.Keyring, random io.Reader, o Options) *Method {
	return newMethod(Email, storage.Email, "mail", []string{"otp"}, k, random, o)
}

// NewSMS returns the method "sms".
func NewSMS(k *seal.Keyring, random io.Reader, o Options) *Method {
	return newMethod(SMS, storage.Phone, "sms", []string{"otp", "sms"}, k, random, o)
}

func newMethod(name string, kind storage.IdentifierKind, send string, amr []string, k *seal.Keyring, random io.Reader, o Options) *Method {
	o.TTL = cmp.Or(o.TTL, defaultTTL)
	own, err := fs.Sub(texts, "texts/"+name)
	if err != nil {
		panic("passcode: " + err.Error()) // a name that is no path
	}
	return &Method{kind: kind, send: send, keyring: k, random: random, o: o,
		info: mfa.Info{Name: name, Texts: own, Kinds: []storage.Kind{storage.Have}, AMR: amr, Second: !o.NoFactor, Typed: true,
			Numeric: true, Digits: digits, Sends: true, Life: o.TTL, Enrolls: !o.NoFactor, Bucket: throttle.Factor}}
}

// Info describes the method.
func (m *Method) Info() mfa.Info { return m.info }

// Kind returns the kind of the method's addresses.
func (m *Method) Kind() storage.IdentifierKind { return m.kind }

// state is kept sealed between Begin and Finish.
type state struct {
	Hash          []byte                  `json:"hash"`
	Message       storage.MessageID       `json:"message"` // of the code
	Authenticator storage.AuthenticatorID `json:"authenticator,omitempty"`
	ExpiresAt     time.Time               `json:"expires_at"`
	Country       string                  `json:"country,omitempty"` // of a text message
	Day           int64                   `json:"day,omitempty"`
}

// Begin sends a code to the authenticator of the attempt or, without one, to the one used
// last. For an unknown user it sends nothing.
func (m *Method) Begin(_ context.Context, a mfa.Attempt) (mfa.Begun, error) {
	to := mfa.Destination{Locale: notice.Locale(a.Account, a.Locale), Now: a.Now}
	x := m.recipient(a)
	if x == nil {
		return m.begin(to, "")
	}
	to.Address = m.AddressOf(*x)
	return m.begin(to, x.ID)
}

// BeginFor sends a code to an address that need not be an authenticator's.
func (m *Method) BeginFor(to mfa.Destination) (mfa.Begun, error) { return m.begin(to, "") }

func (m *Method) begin(to mfa.Destination, id storage.AuthenticatorID) (mfa.Begun, error) {
	length, codes := cmp.Or(to.Digits, digits), uint32(1)
	for range length {
		codes *= 10
	}
	n, err := mfa.Uniform(m.random, codes)
	if err != nil {
		return mfa.Begun{}, fmt.Errorf("make code: %w", err)
	}
	code, ttl := fmt.Sprintf("%0*d", length, n), cmp.Or(to.TTL, m.o.TTL)
	s := state{Message: storage.MessageID(storage.TimeOrdered(to.Now, m.random)), Authenticator: id, ExpiresAt: to.Now.Add(ttl)}
	toll, allowed := m.toll(to)
	s.Country, s.Day = toll.Country, toll.Day
	if s.Hash = m.keyring.Hash(purpose, s.input(code)); s.Hash == nil {
		return mfa.Begun{}, errors.New("hash code: no key")
	}
	kept, err := json.Marshal(s)
	if err != nil {
		return mfa.Begun{}, fmt.Errorf("write state: %w", err)
	}
	b := mfa.Begun{State: kept, TTL: ttl}
	if !allowed {
		return b, nil
	}
	if toll.Country != "" {
		b.Toll = &toll
	}
	b.Message = &storage.Message{ID: s.Message, Kind: m.send, Recipient: to.Address, Template: notice.Code, Locale: to.Locale,
		Data:      map[string]string{"code": code, "minutes": strconv.Itoa(int(ttl.Minutes())), "product": m.o.Product},
		CreatedAt: to.Now, NextAt: to.Now, ExpiresAt: s.ExpiresAt}
	return b, nil
}

// toll returns the limit of messages to a destination, and false if none are sent there.
func (m *Method) toll(to mfa.Destination) (storage.Toll, bool) {
	if to.Address == "" || m.o.Toll == nil {
		return storage.Toll{}, to.Address != ""
	}
	t, ok := m.o.Toll(to.Address)
	return t.On(to.Now), ok
}

const purpose = "passcode"

// input is what the keyed hash of a code is made of. The message makes it differ between
// equal codes.
func (s state) input(code string) string { return string(s.Message) + "|" + code }

// Parse returns InvalidRequest for anything but the digits of a code.
func (m *Method) Parse(a mfa.Attempt, r mfa.Response) error {
	_, err := parse(a.Usage, r)
	return err
}

func parse(usage string, r mfa.Response) (string, error) {
	length := digits
	if usage == mfa.UsageAddress {
		length = mfa.AddressDigits
	}
	code, err := r.Code()
	if err != nil || len(code) != length || strings.Trim(code, "0123456789") != "" {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return code, nil
}

// Finish compares a code with the one that was sent. It returns PasscodeExpired for the right
// code after its time, and InvalidPasscode for any other.
func (m *Method) Finish(_ context.Context, a mfa.Attempt, kept mfa.State, r mfa.Response) (mfa.Proof, error) {
	code, err := parse(a.Usage, r)
	if err != nil {
		return mfa.Proof{}, err
	}
	var s state
	if json.Unmarshal(kept, &s) != nil {
		return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidPasscode}
	}
	right := m.keyring.IsHash(purpose, s.input(code), s.Hash)
	if !right || a.Account == nil || a.Account.User.Status == storage.UserDisabled || !m.holds(a, s.Authenticator) {
		return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidPasscode}
	}
	if !a.Now.Before(s.ExpiresAt) {
		return mfa.Proof{}, &mfa.Error{Code: mfa.PasscodeExpired}
	}
	user := a.Account.User.ID
	var returned *storage.Toll
	if s.Country != "" {
		returned = &storage.Toll{Country: s.Country, Day: s.Day}
	}
	return mfa.Proof{User: user, Returned: returned, Authenticator: s.Authenticator, Kinds: m.info.Kinds, AMR: m.info.AMR,
		Spend: storage.CredentialSpend{User: user, Authenticator: s.Authenticator}}, nil
}

// holds reports whether the account of an attempt still has the authenticator a code was sent
// to. Codes to an address only, of a backend or of a user who proves it, need none.
func (m *Method) holds(a mfa.Attempt, id storage.AuthenticatorID) bool {
	if id == "" {
		return a.Usage == mfa.UsageBackend || a.Usage == mfa.UsageAddress
	}
	return slices.ContainsFunc(m.usable(a), func(x *storage.Authenticator) bool { return x.ID == id })
}

// usable returns the authenticators that codes of an attempt are sent to: active ones, or the
// pending one of its own enrolment.
func (m *Method) usable(a mfa.Attempt) []*storage.Authenticator {
	if a.Account == nil || a.Account.User.Status == storage.UserDisabled {
		return nil
	}
	want := storage.AuthenticatorActive
	if a.Usage == mfa.UsageEnroll {
		want = storage.AuthenticatorPending
	}
	var out []*storage.Authenticator
	for i := range a.Account.Authenticators {
		x := &a.Account.Authenticators[i]
		if x.Method == m.info.Name && x.State == want && (a.Authenticator == nil && a.Usage != mfa.UsageEnroll || a.Authenticator != nil && a.Authenticator.ID == x.ID) {
			out = append(out, x)
		}
	}
	return out
}

// recipient returns the authenticator to send to: of several the one used last.
func (m *Method) recipient(a mfa.Attempt) *storage.Authenticator {
	usable := m.usable(a)
	if len(usable) == 0 {
		return nil
	}
	return slices.MaxFunc(usable, func(x, y *storage.Authenticator) int { return x.LastUsedAt.Compare(y.LastUsedAt) })
}
