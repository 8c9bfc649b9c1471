// Package password implements the method "password": hashing, the rules for new passwords,
// and the queue that limits parallel hashing.
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

// Name is the name of the method.
const Name = "password"

// Options set the cost of hashes, the queue and the rules for new passwords. Zero values mean
// m=19456 KiB, t=2, p=1 (OWASP), one hash per core, a queue of 512 and a wait of 2 s.
type Options struct {
	Memory          uint32 // KiB
	Time            uint32
	Threads         uint8
	Parallel, Queue int
	Wait            time.Duration
	// MinLength is the minimum length of new passwords in characters, at least MinLength.
	MinLength int
	// Breached is the path of a file of breached passwords (see CheckBreached); "": none.
	Breached string
	// Context are words of the service that passwords must not consist of, such as its name.
	Context []string
	// Span, if not nil, is called when an operation (waiting or hashing) starts. It returns
	// a function to call at its end.
	Span func(ctx context.Context, operation string) (end func())
}

// Method implements mfa.Method and mfa.Reserver with argon2id over HMAC-SHA-256(pepper,
// password).
type Method struct {
	keyring *seal.Keyring
	random  io.Reader
	o       Options
	common  []string // case-folded and sorted
	queue   *queue
}

// New returns a Method. random must be safe for concurrent use.
func New(keyring *seal.Keyring, now func() time.Time, random io.Reader, o Options) *Method {
	o.Memory = cmp.Or(o.Memory, 19456)
	o.Time = cmp.Or(o.Time, 2)
	o.Threads = cmp.Or(o.Threads, 1)
	o.Parallel = cmp.Or(o.Parallel, runtime.NumCPU())
	o.Queue = cmp.Or(o.Queue, 512)
	o.Wait = cmp.Or(o.Wait, 2*time.Second)
	o.MinLength = max(o.MinLength, MinLength)
	return &Method{keyring: keyring, random: random, o: o, common: commonList(), queue: newQueue(now, o.Parallel, o.Queue, o.Wait)}
}

// What Info returns, read-only.
var (
	kinds = []storage.Kind{storage.Know}
	amr   = []string{"pwd"}
)

// Info describes the method.
func (p *Method) Info() mfa.Info {
	return mfa.Info{Name: Name, Texts: texts, Kinds: kinds, AMR: amr,
		First: true, Chosen: true, Typed: true, Bucket: throttle.Password}
}

// Hash waits for a place and returns the hash of a password as a PHC string.
func (p *Method) Hash(ctx context.Context, place mfa.Place, plain string) (string, error) {
	release, err := p.Reserve(ctx, place)
	if err != nil {
		return "", err
	}
	defer release()
	defer p.span(ctx, "hash password")()
	return p.HashReserved(plain)
}

func (p *Method) span(ctx context.Context, operation string) (end func()) {
	if p.o.Span == nil {
		return func() {}
	}
	return p.o.Span(ctx, operation)
}

// Load returns the load of the queue.
func (p *Method) Load() Load { return p.queue.load() }

// Reserve waits for a place to compute a hash, which Finish and HashReserved require. It
// returns Busy, in general immediately, if that would take too long.
func (p *Method) Reserve(ctx context.Context, place mfa.Place) (func(), error) {
	defer p.span(ctx, "wait to hash password")()
	return p.queue.enter(ctx, place)
}

// Parse returns InvalidRequest for an empty password, one that is too long and one with NUL.
func (p *Method) Parse(_ mfa.Attempt, r mfa.Response) error {
	_, err := parseResponse(r)
	return err
}

func parseResponse(r mfa.Response) (string, error) {
	var plain string
	if err := json.Unmarshal(r, &plain); err != nil || plain == "" || len(plain) > maxBytes || strings.ContainsRune(plain, 0) {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return plain, nil
}

// Begin does nothing: a password needs no challenge.
func (p *Method) Begin(context.Context, mfa.Attempt) (mfa.Begun, error) {
	return mfa.Begun{}, nil
}

// Finish compares a password and returns InvalidCredentials for a wrong one. Unknown and
// disabled users and those without a password cost the same and get the same error.
func (p *Method) Finish(ctx context.Context, a mfa.Attempt, _ mfa.State, r mfa.Response) (mfa.Proof, error) {
	plain, err := parseResponse(r)
	if err != nil {
		return mfa.Proof{}, err
	}
	own := AuthenticatorOf(a)
	compute := func(spelling string) (right, stale bool, err error) {
		defer p.span(ctx, "hash password")()
		if own == nil {
			_, err := p.HashReserved(spelling)
			return false, false, err
		}
		return p.verify(string(own.Secret), spelling)
	}
	right, stale, err := compute(normalize(plain))
	if err == nil && normalize(plain) != plain {
		// Hashes from before normalization are of the password as typed. That is always tried,
		// so that the time reveals nothing.
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
		Spend: storage.CredentialSpend{User: a.Account.User.ID, Authenticator: own.ID, Was: own.Counter, Same: true}}
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

// AuthenticatorOf returns the password that can be compared; nil: none, or it cannot be
// decrypted.
func AuthenticatorOf(a mfa.Attempt) *storage.Authenticator {
	if x := a.Active(Name); x != nil && len(x.Secret) > 0 {
		return x
	}
	return nil
}

// Matches reports whether a stored hash is of a password. A malformed hash matches none. It
// waits for a place.
func (p *Method) Matches(ctx context.Context, stored, plain string) (bool, error) {
	release, err := p.Reserve(ctx, mfa.Place{})
	if err != nil {
		return false, err
	}
	defer release()
	right, _, err := p.verify(stored, plain)
	return right && err == nil, nil
}

// verify compares a password with a stored hash. stale reports that the hash should be
// replaced: it has other parameters, an older pepper, or is bcrypt.
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
		input = applyPepper(key, plain)
	}
	tag := argon2.IDKey(input, h.salt, h.time, h.memory, h.lanes, uint32(len(h.tag))) //nolint:gosec // 16 to 64
	_, newest, _ := p.keyring.Pepper("")
	stale = h.memory != p.o.Memory || h.time != p.o.Time || h.lanes != p.o.Threads || h.pepper != newest ||
		len(h.salt) != saltBytes || len(h.tag) != tagBytes
	return hmac.Equal(tag, h.tag), stale, nil
}

// HashReserved is Hash for a caller who holds a place from Reserve.
func (p *Method) HashReserved(plain string) (string, error) {
	plain = normalize(plain)
	key, id, ok := p.keyring.Pepper("")
	if !ok {
		return "", errors.New("hash password: no pepper")
	}
	h := argon2Hash{memory: p.o.Memory, time: p.o.Time, lanes: p.o.Threads, pepper: id, salt: make([]byte, saltBytes)}
	if _, err := io.ReadFull(p.random, h.salt); err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	h.tag = argon2.IDKey(applyPepper(key, plain), h.salt, h.time, h.memory, h.lanes, tagBytes)
	return h.String(), nil
}

func applyPepper(key []byte, plain string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(plain))
	return m.Sum(nil)
}
