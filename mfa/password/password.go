// Package password is the method "password": its hashes, the rules for new ones, and the
// queue that bounds how many are computed at once.
package password

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/seal"
)

//go:embed messages
var texts embed.FS

// PasswordName is the name of the method.
const Name = "password"

// PasswordOptions are the cost of a hash and how many run at once. Zero values mean
// m=19456 KiB, t=2, p=1 (OWASP), one per core, a queue of 64 and a wait of 2 s, and
// an eighth of all that for one network.
type Options struct {
	Memory          uint32 // KiB
	Time            uint32
	Threads         uint8
	Parallel, Queue int
	PerNetwork      int // running and waiting for one address (IPv6: one /64); below 0: no bound
	Wait            time.Duration
	// MinLength is how many characters a new password has at least: PasswordMin or more.
	MinLength int
	// Breached is the path of a file of breached passwords, as CheckBreached wants it; "": none.
	Breached string
	// Context are words that others would try first here: of the product, of the issuer.
	Context []string
	// Span, if not nil, is told when a wait for a turn and a computation begin and, by
	// what it returns, when they end.
	Span func(ctx context.Context, deed string) (end func())
}

// Password is the method "password": argon2id over HMAC-SHA-256(pepper, password).
type Method struct {
	keyring *seal.Keyring
	random  io.Reader
	o       Options
	common  []string // folded and sorted
	gate    *queue
}

// NewPassword returns the method "password".
func New(keyring *seal.Keyring, random io.Reader, o Options) *Method {
	o.Memory = cmp.Or(o.Memory, 19456)
	o.Time = cmp.Or(o.Time, 2)
	o.Threads = cmp.Or(o.Threads, 1)
	o.Parallel = cmp.Or(o.Parallel, runtime.NumCPU())
	o.Queue = cmp.Or(o.Queue, 64)
	o.PerNetwork = cmp.Or(o.PerNetwork, max((o.Parallel+o.Queue)/8, 1))
	o.Wait = cmp.Or(o.Wait, 2*time.Second)
	o.MinLength = max(o.MinLength, MinLength)
	return &Method{keyring: keyring, random: random, o: o, common: commonList(), gate: newQueue(o.Parallel, o.Queue, o.PerNetwork, o.Wait)}
}

// Info says what the method is.
func (p *Method) Info() mfa.Info {
	return mfa.Info{Name: Name, Texts: texts, Kinds: []storage.Kind{storage.Know}, AMR: []string{"pwd"},
		First: true, Chosen: true, Typed: true, Bucket: throttle.Password}
}

// Hash waits for its turn and returns the PHC string of a password.
func (p *Method) Hash(ctx context.Context, plain string) (string, error) {
	release, err := p.Reserve(ctx, mfa.Place{})
	if err != nil {
		return "", err
	}
	defer release()
	defer p.span(ctx, "hash password")()
	return p.HashReserved(plain)
}

func (p *Method) span(ctx context.Context, deed string) (end func()) {
	if p.o.Span == nil {
		return func() {}
	}
	return p.o.Span(ctx, deed)
}

// Load says how many hashes are computed and waited for.
func (p *Method) Load() Load { return p.gate.load() }

// Reserve waits for the turn to compute a hash. Finish expects its caller to hold one.
func (p *Method) Reserve(ctx context.Context, place mfa.Place) (func(), error) {
	defer p.span(ctx, "wait to hash password")()
	return p.gate.enter(ctx, place)
}

// Parse refuses what can not be a password before anything is counted.
func (p *Method) Parse(_ mfa.Attempt, r mfa.Response) error {
	_, err := typedPassword(r)
	return err
}

func typedPassword(r mfa.Response) (string, error) {
	var plain string
	if err := json.Unmarshal(r, &plain); err != nil || plain == "" || len(plain) > passwordMax || strings.ContainsRune(plain, 0) {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return plain, nil
}

// Begin does nothing: a password needs no challenge.
func (p *Method) Begin(context.Context, mfa.Attempt) (mfa.Challenge, mfa.State, error) {
	return nil, nil, nil
}

// Finish compares a password. An unknown or disabled user and one without a password
// cost the same computation and get the same answer as a wrong password.
func (p *Method) Finish(ctx context.Context, a mfa.Attempt, _ mfa.State, r mfa.Response) (mfa.Proof, error) {
	plain, err := typedPassword(r)
	if err != nil {
		return mfa.Proof{}, err
	}
	own := Of(a)
	compute := func(spelling string) (right, stale bool, err error) {
		defer p.span(ctx, "hash password")()
		if own == nil {
			_, err := p.HashReserved(spelling)
			return false, false, err
		}
		return p.verify(string(own.Secret), spelling)
	}
	right, stale, err := compute(normal(plain))
	if err == nil && normal(plain) != plain {
		// A hash from before passwords were normalised is of the spelling as it was typed.
		// It is tried whatever came of the first, so that the time tells nothing.
		var raw bool
		if raw, _, err = compute(plain); raw && !right {
			right, stale = true, true
		}
	}
	if err != nil {
		return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidCredentials, Err: err}
	}
	if !right {
		return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidCredentials}
	}
	i := p.Info()
	proof := mfa.Proof{User: a.Account.User.ID, Authenticator: own.ID, Kinds: i.Kinds, AMR: i.AMR,
		Spend: storage.CredentialSpend{User: a.Account.User.ID, Authenticator: own.ID, Was: own.Counter}}
	if stale {
		end := p.span(ctx, "hash password")
		fresh, err := p.HashReserved(plain)
		end()
		if err != nil {
			return mfa.Proof{}, err
		}
		proof.Spend.Secret = []byte(fresh)
	}
	return proof, nil
}

// ownPassword finds the password of an account that may sign in.
func Of(a mfa.Attempt) *storage.Authenticator {
	if a.Account == nil || a.Account.User.Status == storage.UserDisabled {
		return nil
	}
	for i := range a.Account.Authenticators {
		x := &a.Account.Authenticators[i]
		if x.Method == Name && x.State == storage.AuthenticatorActive && len(x.Secret) > 0 {
			return x
		}
	}
	return nil
}

// Matches reports whether a password is the one of a stored hash; false also where the
// hash cannot be read. It waits for its turn.
func (p *Method) Matches(ctx context.Context, stored, plain string) (bool, error) {
	release, err := p.Reserve(ctx, mfa.Place{})
	if err != nil {
		return false, err
	}
	defer release()
	right, _, err := p.verify(stored, plain)
	return right && err == nil, nil
}

// verify compares a password with a stored hash; stale says that the hash should be
// made anew: other parameters, an older pepper, or an imported bcrypt hash.
func (p *Method) verify(stored, plain string) (right, stale bool, err error) {
	if isBcrypt(stored) {
		err := bcrypt.CompareHashAndPassword([]byte(stored), []byte(plain))
		return err == nil, true, nil
	}
	h, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	input := []byte(plain)
	if h.pepper != "" {
		key, _, ok := p.keyring.Pepper(h.pepper)
		if !ok {
			return false, false, fmt.Errorf("pepper %s is gone", h.pepper)
		}
		input = peppered(key, plain)
	}
	tag := argon2.IDKey(input, h.salt, h.time, h.memory, h.lanes, uint32(len(h.tag))) //nolint:gosec // 16 to 64
	_, newest, _ := p.keyring.Pepper("")
	stale = h.memory != p.o.Memory || h.time != p.o.Time || h.lanes != p.o.Threads || h.pepper != newest ||
		len(h.salt) != saltBytes || len(h.tag) != tagBytes
	return hmac.Equal(tag, h.tag), stale, nil
}

func (p *Method) HashReserved(plain string) (string, error) {
	plain = normal(plain)
	key, id, ok := p.keyring.Pepper("")
	if !ok {
		return "", errors.New("hash password: no pepper")
	}
	h := argon2Hash{memory: p.o.Memory, time: p.o.Time, lanes: p.o.Threads, pepper: id, salt: make([]byte, saltBytes)}
	if _, err := io.ReadFull(p.random, h.salt); err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	h.tag = tagOf(key, plain, h)
	return h.String(), nil
}

func tagOf(key []byte, plain string, h argon2Hash) []byte {
	return argon2.IDKey(peppered(key, plain), h.salt, h.time, h.memory, h.lanes, tagBytes)
}

func peppered(key []byte, plain string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(plain))
	return m.Sum(nil)
}
