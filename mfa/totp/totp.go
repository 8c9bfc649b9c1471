// Package totp implements the method "totp": codes of an authenticator app (RFC 6238).
package totp

import (
	"cmp"
	"context"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/seal"
)

//go:embed messages
var texts embed.FS

// Name is the name of the method.
const Name = "totp"

const (
	defaultPeriod = 30 // seconds; RFC 6238 section 5.2
	secretBytes   = 20 // RFC 4226 section 4, R6
	qrPixels      = 256
)

// periods are the periods that imports may have, in seconds. With a longer one a code would
// be valid for minutes.
var periods = []int{defaultPeriod, 60}

// codeLengths are the lengths of codes that apps show.
var codeLengths = []int{6, 8}

// Options set the parameters of new authenticators and the window of accepted codes.
type Options struct {
	Strict    bool   // accept the current step only; else one step before and after too
	Digits    int    // 6 (also 0) or 8
	Algorithm string // "SHA1" (also ""), "SHA256", "SHA512"
}

// Method implements mfa.Method and mfa.Shaper with TOTP.
type Method struct {
	random   io.Reader
	product  string
	window   int64
	defaults parameters
}

// parameters are what an authenticator app has to know beside the secret.
type parameters struct {
	Algorithm string `json:"algorithm"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period"`
}

// New returns a Method. product is the issuer that apps show.
func New(random io.Reader, product string, o Options) *Method {
	t := &Method{random: random, product: product, window: 1,
		defaults: parameters{Algorithm: cmp.Or(o.Algorithm, "SHA1"), Digits: cmp.Or(o.Digits, 6), Period: defaultPeriod}}
	if o.Strict {
		t.window = 0
	}
	return t
}

// Product returns the issuer that apps show.
func (t *Method) Product() string { return t.product }

// Info describes the method.
func (t *Method) Info() mfa.Info {
	return mfa.Info{Name: Name, Texts: texts, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"},
		Second: true, Typed: true, Numeric: true, Enrolls: true, Bucket: throttle.Factor}
}

// CodeAt returns the code of a secret with the server's parameters at a time.
func (t *Method) CodeAt(secret []byte, at time.Time) string {
	return codeOfStep(secret, at.Unix()/defaultPeriod, t.defaults)
}

// CodeOf returns the code of an authenticator at a time.
func (t *Method) CodeOf(a storage.Authenticator, at time.Time) string {
	d := parametersOf(a)
	return codeOfStep(a.Secret, at.Unix()/int64(d.Period), d)
}

// Parse returns InvalidRequest unless the response has as many digits as a code of one
// of the authenticators. Before the first factor it accepts every length that apps show: the
// accepted length would reveal who has an account.
func (t *Method) Parse(a mfa.Attempt, r mfa.Response) error {
	_, err := t.parse(a, r)
	return err
}

func (t *Method) parse(a mfa.Attempt, r mfa.Response) (string, error) {
	code, err := r.Code()
	if err != nil || code == "" || strings.Trim(code, "0123456789") != "" {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	candidates := t.candidates(a)
	if len(candidates) == 0 && len(code) == t.defaults.Digits {
		return code, nil
	}
	if a.Usage != mfa.UsageSecond && a.Usage != mfa.UsageEnroll && a.Usage != mfa.UsageBackend && slices.Contains(codeLengths, len(code)) {
		return code, nil
	}
	for _, c := range candidates {
		if len(code) == parametersOf(c).Digits {
			return code, nil
		}
	}
	return "", &mfa.Error{Code: mfa.InvalidRequest}
}

// Begin does nothing: the app shows codes at any time.
func (t *Method) Begin(context.Context, mfa.Attempt) (mfa.Begun, error) {
	return mfa.Begun{}, nil
}

// Finish compares a code with the steps around now of each candidate, always computing all.
// The newest matching step after the last accepted one is proven. It returns Replayed for the
// step accepted last, and InvalidPasscode for older steps and other codes.
func (t *Method) Finish(_ context.Context, a mfa.Attempt, _ mfa.State, r mfa.Response) (mfa.Proof, error) {
	code, err := t.parse(a, r)
	if err != nil {
		return mfa.Proof{}, err
	}
	candidates := t.candidates(a)
	if len(candidates) == 0 {
		// An unknown user costs the same computation.
		t.match(storage.Authenticator{Secret: make([]byte, secretBytes)}, code, a.Now)
		return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidPasscode}
	}
	var proof *mfa.Proof
	replayed := false
	for _, c := range candidates {
		step, again := t.match(c, code, a.Now)
		replayed = replayed || again
		if step > 0 && proof == nil {
			i := t.Info()
			proof = &mfa.Proof{User: a.Account.User.ID, Authenticator: c.ID, Kinds: i.Kinds, AMR: i.AMR,
				Spend: storage.CredentialSpend{User: a.Account.User.ID, Authenticator: c.ID, Step: step, Confirm: confirmable(a, c)}}
		}
	}
	switch {
	case proof != nil:
		return *proof, nil
	case replayed:
		return mfa.Proof{}, &mfa.Error{Code: mfa.Replayed}
	}
	return mfa.Proof{}, &mfa.Error{Code: mfa.InvalidPasscode}
}

// match returns the newest acceptable step with a code (0: none), and whether it is the code
// of the step accepted last.
func (t *Method) match(c storage.Authenticator, code string, now time.Time) (int64, bool) {
	d := parametersOf(c)
	at := now.Unix() / int64(d.Period)
	var newest int64
	again := false
	for step := at - t.window; step <= at+t.window; step++ {
		want := codeOfStep(c.Secret, step, d)
		same := subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1
		if same && step > c.Counter {
			newest = step
		}
		again = again || (same && step == c.Counter)
	}
	if len(c.Secret) == 0 {
		return 0, false
	}
	return newest, again
}

// candidates returns the authenticators whose codes are accepted: the one of the attempt, or
// any of the user's. A pending one is accepted for its own enrolment, and from a backend.
func (t *Method) candidates(a mfa.Attempt) []storage.Authenticator {
	if a.Account == nil || a.Account.User.Status == storage.UserDisabled {
		return nil
	}
	want := storage.AuthenticatorActive
	if a.Usage == mfa.UsageEnroll {
		want = storage.AuthenticatorPending
	}
	var out []storage.Authenticator
	for _, x := range a.Account.Authenticators {
		if x.Method != Name || x.State != want && !confirmable(a, x) || x.UserID != a.Account.User.ID {
			continue
		}
		if a.Authenticator == nil && a.Usage == mfa.UsageEnroll || a.Authenticator != nil && a.Authenticator.ID != x.ID {
			continue
		}
		out = append(out, x)
	}
	return out
}

// confirmable reports whether a backend's code may confirm a pending authenticator: one that
// backends created, before it expires.
func confirmable(a mfa.Attempt, x storage.Authenticator) bool {
	return a.Usage == mfa.UsageBackend && x.Origin == mfa.OriginBackend && x.State == storage.AuthenticatorPending && x.ExpiresAt.After(a.Now)
}

// codeOfStep returns the code of a step (RFC 4226 section 5.3).
func codeOfStep(secret []byte, step int64, d parameters) string {
	o := hotp.ValidateOpts{Digits: otp.Digits(d.Digits), Algorithm: otp.AlgorithmSHA1}
	switch d.Algorithm {
	case "SHA256":
		o.Algorithm = otp.AlgorithmSHA256
	case "SHA512":
		o.Algorithm = otp.AlgorithmSHA512
	}
	code, err := hotp.GenerateCodeCustom(base32Of(secret), uint64(max(step, 0)), o) //nolint:gosec // not negative
	if err != nil {
		return ""
	}
	return code
}

// parametersOf returns the parameters of an authenticator, by default those of RFC 6238.
func parametersOf(a storage.Authenticator) parameters {
	var d parameters
	if len(a.Data) > 0 && json.Unmarshal(a.Data, &d) != nil {
		d = parameters{}
	}
	if !slices.Contains(periods, d.Period) {
		d.Period = defaultPeriod
	}
	return parameters{Algorithm: cmp.Or(d.Algorithm, "SHA1"), Digits: cmp.Or(d.Digits, 6), Period: d.Period}
}

// SameCodes reports whether two authenticators have the same secret and parameters.
func SameCodes(a, b storage.Authenticator) bool {
	return seal.Equal(string(a.Secret), string(b.Secret)) && parametersOf(a) == parametersOf(b)
}
