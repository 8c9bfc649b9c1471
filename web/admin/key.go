package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/web"
)

// Key is the hash of a key of the admin API. It never prints.
type Key struct{ sum [sha256.Size]byte }

// KeyOf returns the Key of a secret with 256 random bits.
func KeyOf(secret string) Key { return Key{sha256.Sum256([]byte(secret))} }

// Format hides the key from every verb of package fmt.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "hidden") }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue("hidden") }

func (k Key) is(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(k.sum[:], sum[:]) == 1
}

// Proof is the response to a challenge that shows that a server has the key. Commands send
// the key only after they have checked it: while the server is down, any process on its
// machine could listen in its place.
func (k Key) Proof(issuer, challenge string) string {
	m := hmac.New(sha256.New, k.sum[:])
	_, _ = io.WriteString(m, "sallyport admin server\n"+issuer+"\n"+challenge) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// ProofAt is a Proof that is valid only for one address of the server, so that a process at
// another address cannot relay it.
func (k Key) ProofAt(issuer, challenge, address string) string {
	m := hmac.New(sha256.New, k.sum[:])
	_, _ = io.WriteString(m, "sallyport admin server at\n"+address+"\n"+issuer+"\n"+challenge)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// AddressOf is the canonical form of an address and port, the same at both ends of a
// connection.
func AddressOf(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return ""
	}
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port()).String()
}

// hintBytes are the bytes of a key's hash that identify it; the other 192 bits stay secret.
const hintBytes = 8

// Hint identifies a key to a server that must prove that it has it. It allows no call.
func (k Key) Hint() string { return base64.RawURLEncoding.EncodeToString(k.sum[:hintBytes]) }

// challengeMost limits what is hashed for an unauthenticated caller.
const challengeMost = 128

// Identity identifies the server.
type Identity struct {
	Issuer string `json:"issuer"`
	Proof  string `json:"proof,omitempty"` // if there was a challenge, and the key is known
	// AddressProof is a proof for the address at which the server accepted the connection.
	AddressProof string `json:"address_proof,omitempty"`
}

// identify proves to a caller, before it sends its key, that the server has that key: the
// key of its file, or the one that a parameter names.
func (s *Surface) identify(c *gin.Context) {
	if !s.knownQuery(c, []string{"challenge", "key"}) {
		return
	}
	id := Identity{Issuer: s.o.Issuer}
	if challenge := c.Query("challenge"); len(challenge) > challengeMost {
		badParameter(c, "challenge", "is too long")
		return
	} else if challenge != "" {
		k, known, ok := s.hinted(c)
		if !ok {
			return
		}
		if known {
			id.Proof = k.Proof(s.o.Issuer, challenge)
			if at, ok := c.Request.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
				id.AddressProof = k.ProofAt(s.o.Issuer, challenge, AddressOf(at))
			}
		}
	}
	c.JSON(http.StatusOK, id)
}

// hinted finds the key that a parameter names; without one: that of the file. The hint of
// no valid key counts as a wrong key. ok is false if the call was refused.
func (s *Surface) hinted(c *gin.Context) (k Key, known, ok bool) {
	hint, sent := c.GetQuery("key")
	if !sent || subtle.ConstantTimeCompare([]byte(hint), []byte(s.o.Key.Hint())) == 1 {
		return s.o.Key, true, true
	}
	prefix, err := base64.RawURLEncoding.DecodeString(hint)
	if err != nil || len(prefix) != hintBytes {
		badParameter(c, "key", "names no key")
		return k, false, false
	}
	address := web.Caller(c).Address
	if s.limited(c, address) {
		return k, false, false
	}
	sum, err := s.APIKeys.HashOf(c.Request.Context(), prefix)
	if errors.Is(err, apikeys.ErrNotFound) {
		s.wrong.count(address)
		return k, false, true
	}
	if err != nil {
		s.fail(c, err)
		return k, false, false
	}
	return Key{sum}, true, true
}

// limited refuses an address from which too many wrong keys came.
func (s *Surface) limited(c *gin.Context, address string) bool {
	if !s.wrong.exhausted(address) {
		return false
	}
	c.Header("Retry-After", "1")
	Problem{Status: http.StatusTooManyRequests, Code: string(mfa.TooMany), Detail: "too many wrong keys came from this address"}.Write(c)
	return true
}

// actorAPIKey is the prefix of the actor of an API key, before its id.
const actorAPIKey = "apikey:"

// caller authenticates the caller by the key in the header (RFC 6750 section 2.1) and
// authorizes the call. It returns false if the call was refused.
func (s *Surface) caller(c *gin.Context) (mfa.Caller, bool) {
	v := web.Caller(c)
	// Callers are not browsers, and an operator's language is not the user's.
	v.Browser, v.Device, v.Locale = "", "", ""
	scheme, secret, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(c.Request.Header.Values("Authorization")) != 1 {
		s.unauthorized(c, "the call needs one header: Authorization: Bearer KEY")
		return v, false
	}
	secret = strings.TrimSpace(secret)
	if s.o.Key.is(secret) {
		v.Actor = users.ActorAdmin
		c.Set(callerKey, apikeys.Operator())
		return v, true
	}
	if s.limited(c, v.Address) {
		return v, false
	}
	k, err := s.APIKeys.Authenticate(c.Request.Context(), v, secret)
	if errors.Is(err, apikeys.ErrNotFound) {
		s.wrong.count(v.Address)
		s.unauthorized(c, "the key is neither that of this server nor a valid API key")
		return v, false
	}
	if err != nil {
		s.fail(c, err)
		return v, false
	}
	v.Actor = actorAPIKey + string(k.ID)
	verb := apikeys.VerbWrite
	if c.Request.Method == http.MethodGet {
		verb = apikeys.VerbRead
	}
	if !k.Allows(apikeys.DialectAdmin, verb) {
		Problem{Status: http.StatusForbidden, Code: string(mfa.NotAllowed),
			Detail: fmt.Sprintf("the API key may not do this: it needs the dialect %s and the verb %s", apikeys.DialectAdmin, verb)}.Write(c)
		return v, false
	}
	c.Set(callerKey, apikeys.Holder(k))
	return v, true
}

const callerKey = "sallyport.admin.caller"

// by is the caller as the owner of API keys; without a key a caller who may do nothing.
func by(c *gin.Context) apikeys.Caller {
	found, _ := c.Get(callerKey)
	caller, _ := found.(apikeys.Caller)
	return caller
}

func (s *Surface) unauthorized(c *gin.Context, detail string) {
	c.Header("WWW-Authenticate", `Bearer realm="sallyport admin"`) // RFC 6750 section 3
	Problem{Status: http.StatusUnauthorized, Code: codeUnauthorized, Detail: detail}.Write(c)
}

// Limits of wrong keys from one address. The key of the file is never limited.
const (
	wrongEach   = time.Second // to allow one more
	wrongAtOnce = 10
	wrongFrom   = 1024 // number of addresses that are kept
)

// keyLimiter limits the cost of wrong keys: each is looked up in the database and recorded
// in the audit trail. It protects the process; 256 bits cannot be guessed.
type keyLimiter struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[string]*rate.Limiter
}

func newKeyLimiter(now func() time.Time) *keyLimiter {
	return &keyLimiter{now: now, of: map[string]*rate.Limiter{}}
}

// exhausted reports whether too many wrong keys came from an address.
func (v *keyLimiter) exhausted(address string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.of[address]
	return l != nil && l.TokensAt(v.now()) < 1
}

func (v *keyLimiter) count(address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.of[address]
	if l == nil {
		if len(v.of) >= wrongFrom {
			clear(v.of) // cheaper than finding the oldest
		}
		l = rate.NewLimiter(rate.Every(wrongEach), wrongAtOnce)
		v.of[address] = l
	}
	l.AllowN(v.now(), 1)
}
