package dpop

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"time"

	"sallyport/provider/oauth"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Tolerance is how long before or after a server's time a proof may have been issued. Clocks
// of clients differ from it by seconds, and the checks of FAPI by ten.
const Tolerance = time.Minute

// keepUsed is how long a used proof is remembered after its end: clocks of servers differ.
const keepUsed = time.Minute

// Header is the header field of a proof (RFC 9449 section 4.1).
const Header = "DPoP"

// NonceHeader is the header field of a nonce for the next proof (RFC 9449 section 8.1).
const NonceHeader = "DPoP-Nonce"

// Store is the storage that a Verifier needs.
type Store interface {
	UseProof(ctx context.Context, id string, until time.Time) error
}

// Options are the settings of a Verifier.
type Options struct {
	Bases        []string // what the addresses of the endpoints begin with
	RequireNonce bool
}

// Verifier verifies proofs.
type Verifier struct {
	store   Store
	keyring *seal.Keyring
	now     func() time.Time
	options Options
}

// New returns a Verifier.
func New(store Store, keyring *seal.Keyring, now func() time.Time, o Options) *Verifier {
	return &Verifier{store: store, keyring: keyring, now: now, options: o}
}

// Proof is a verified proof.
type Proof struct {
	Key   string // thumbprint of the key (RFC 7638), as in jkt
	id    string
	until time.Time
}

// Thumbprint returns the key of a proof, "" without one.
func (p *Proof) Thumbprint() string {
	if p == nil {
		return ""
	}
	return p.Key
}

// Read verifies the proof of a request (RFC 9449 section 4.3) and returns it; nil: there is none.
// At a protected resource it must have the hash of the access token, elsewhere token is "". The
// response gets a nonce for the next proof.
//
// A proof still has to be used, once its caller is known: what nobody authenticated must not
// cause a write.
func (v *Verifier) Read(w http.ResponseWriter, r *http.Request, token string) (*Proof, *oauth.Error) {
	sent := r.Header.Values(Header)
	if len(sent) == 0 {
		return nil, nil
	}
	if nonce := v.nonce(); nonce != "" {
		w.Header().Set(NonceHeader, nonce)
	}
	if len(sent) > 1 {
		return nil, refuse("there is more than one DPoP header")
	}
	key, c, fault := parse(sent[0])
	if fault != "" {
		return nil, refuse(fault)
	}
	if fault := v.check(c, r, token); fault != "" {
		return nil, refuse(fault)
	}
	if c.Nonce != "" && !v.knows(c.Nonce) || c.Nonce == "" && v.options.RequireNonce {
		return nil, oauth.NewError("use_dpop_nonce", "the proof needs the nonce of the DPoP-Nonce header").Because(oauth.WrongNonce).About(Header)
	}
	return &Proof{Key: key, id: "dpop " + key + " " + *c.ID, until: seconds(*c.Issued).Add(Tolerance + keepUsed)}, nil
}

// Use uses a proof: of any number of requests with it, on any number of servers, one gets nil.
func (v *Verifier) Use(ctx context.Context, p *Proof) *oauth.Error {
	if p == nil {
		return nil
	}
	err := v.store.UseProof(ctx, p.id, p.until)
	if errors.Is(err, storage.ErrConflict) {
		return refuse("the proof was used before").Because(oauth.UsedProof)
	}
	if err != nil {
		return oauth.Unavailable(err)
	}
	return nil
}

// check returns what is wrong with the claims of a proof for a request.
func (v *Verifier) check(c claims, r *http.Request, token string) string {
	now := v.now()
	switch {
	case c.ID == nil || *c.ID == "" || len(*c.ID) > maxID:
		return "jti is missing, empty or too long"
	case c.Method != r.Method:
		return "htm is not the method of the request"
	case !slices.ContainsFunc(v.options.Bases, func(base string) bool { return sameAddress(c.URL, base, r.URL.Path) }):
		return "htu is not the address of the request"
	case c.Issued == nil:
		return "iat is missing"
	case outside(*c.Issued, now):
		return "iat is too far from the time of the server"
	case c.NotBefore != nil && float64(now.Add(Tolerance).Unix()) < *c.NotBefore:
		return "nbf is in the future"
	case c.Expires != nil && float64(now.Unix()) >= *c.Expires:
		return "the proof has expired"
	}
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	if c.TokenHash != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return "ath is not the hash of the access token"
	}
	return ""
}

// outside reports whether a time is not within Tolerance of now.
func outside(at float64, now time.Time) bool {
	d := at - float64(now.Unix())
	return d > Tolerance.Seconds() || d < -Tolerance.Seconds()
}

func seconds(at float64) time.Time { return time.Unix(int64(at), 0).UTC() }

func refuse(fault string) *oauth.Error {
	return oauth.NewError("invalid_dpop_proof", fault).Because(oauth.InvalidProof).About(Header)
}
