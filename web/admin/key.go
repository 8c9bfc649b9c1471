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

// Key is what a key of the admin API is recognised by. It prints as nothing.
type Key struct{ sum [sha256.Size]byte }

// KeyOf returns the Key of a secret with 256 random bits in it.
func KeyOf(secret string) Key { return Key{sha256.Sum256([]byte(secret))} }

// Format hides the key from every verb of package fmt.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "hidden") }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue("hidden") }

func (k Key) is(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(k.sum[:], sum[:]) == 1
}

// Proof is what a server that has the key answers to a challenge. Commands send the key
// to nobody who cannot give it: while the server is down anybody on its machine could
// listen in its place.
func (k Key) Proof(issuer, challenge string) string {
	m := hmac.New(sha256.New, k.sum[:])
	_, _ = io.WriteString(m, "sallyport admin server\n"+issuer+"\n"+challenge) // a hash takes everything
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// ProofAt is a Proof for one address of the server: whoever passes it on from another one
// has none for his own.
func (k Key) ProofAt(issuer, challenge, address string) string {
	m := hmac.New(sha256.New, k.sum[:])
	_, _ = io.WriteString(m, "sallyport admin server at\n"+address+"\n"+issuer+"\n"+challenge)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// AddressOf is how both ends of a connection write the address and port of the server's.
func AddressOf(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return ""
	}
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port()).String()
}

// hintBytes of a key's sum name it. Of 256 bits that nobody can guess 192 stay unknown.
const hintBytes = 8

// Hint names a key to a server that is to prove that it knows it, and opens nothing.
func (k Key) Hint() string { return base64.RawURLEncoding.EncodeToString(k.sum[:hintBytes]) }

// challengeMost bounds what is hashed for somebody who showed no key.
const challengeMost = 128

// Identity says which server answers.
type Identity struct {
	Issuer string `json:"issuer"`
	Proof  string `json:"proof,omitempty"` // where there was a challenge, and the key is known
	// Besides: a proof for the address at which the server took the connection.
	AddressProof string `json:"address_proof,omitempty"`
}

// identify proves to whoever holds a key, before it is shown, that this server knows it:
// the key of its file, or the one that a parameter names.
func (s *Surface) identify(c *gin.Context) {
	if !s.knownQuery(c, []string{"challenge", "key"}) {
		return
	}
	id := Identity{Issuer: s.o.Issuer}
	if challenge := c.Query("challenge"); len(challenge) > challengeMost {
		badParameter(c, "challenge", "is too long")
		return
	} else if challenge != "" {
		k, known, ok := s.meant(c)
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

// meant finds the key that a parameter names; left out: that of the file. A name of no
// key that opens anything counts as a wrong key. ok false: the call was refused.
func (s *Surface) meant(c *gin.Context) (k Key, known, ok bool) {
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
	if s.tired(c, address) {
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

// tired refuses an address that has used up its wrong keys.
func (s *Surface) tired(c *gin.Context, address string) bool {
	if !s.wrong.shut(address) {
		return false
	}
	c.Header("Retry-After", "1")
	Problem{Status: http.StatusTooManyRequests, Code: string(mfa.TooMany), Detail: "too many wrong keys came from this address"}.Write(c)
	return true
}

// actorAPIKey begins the actor of what an API key did; its id follows.
const actorAPIKey = "apikey:"

// caller finds out who calls by the key in the header (RFC 6750 section 2.1), and nowhere
// else. false: it was refused.
func (s *Surface) caller(c *gin.Context) (mfa.Caller, bool) {
	v := web.Caller(c)
	// No browser comes here, and an operator's language says nothing about a user's.
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
	if s.tired(c, v.Address) {
		return v, false
	}
	k, err := s.APIKeys.Authenticate(c.Request.Context(), v, secret)
	if errors.Is(err, apikeys.ErrNotFound) {
		s.wrong.count(v.Address)
		s.unauthorized(c, "the key is neither that of this server nor an API key that is good here")
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

// by is who calls, as far as API keys are made or changed on their word; without a key
// somebody who may do nothing.
func by(c *gin.Context) apikeys.Caller {
	found, _ := c.Get(callerKey)
	caller, _ := found.(apikeys.Caller)
	return caller
}

func (s *Surface) unauthorized(c *gin.Context, detail string) {
	c.Header("WWW-Authenticate", `Bearer realm="sallyport admin"`) // RFC 6750 section 3
	Problem{Status: http.StatusUnauthorized, Code: codeUnauthorized, Detail: detail}.Write(c)
}

// Bounds of wrong keys from one address. The right key of the file is never asked to wait.
const (
	wrongEach   = time.Second // one more is allowed after so long
	wrongAtOnce = 10
	wrongFrom   = 1024 // addresses that are remembered
)

// valve bounds what wrong keys cost: each is looked up in the database and written into
// the audit trail. It protects the process; nobody guesses 256 bits.
type valve struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[string]*rate.Limiter
}

func newValve(now func() time.Time) *valve { return &valve{now: now, of: map[string]*rate.Limiter{}} }

// shut reports whether an address has used up its wrong keys.
func (v *valve) shut(address string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.of[address]
	return l != nil && l.TokensAt(v.now()) < 1
}

func (v *valve) count(address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.of[address]
	if l == nil {
		if len(v.of) >= wrongFrom {
			clear(v.of) // forgetting costs less than remembering everybody
		}
		l = rate.NewLimiter(rate.Every(wrongEach), wrongAtOnce)
		v.of[address] = l
	}
	l.AllowN(v.now(), 1)
}
