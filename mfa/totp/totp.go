// Package totp is the method "totp": codes of an authenticator app (RFC 6238).
package totp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"embed"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/url"
	"slices"
	"strconv"
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

// TOTPName is the name of the method.
const Name = "totp"

const (
	totpPeriod      = 30 // seconds; RFC 6238 section 5.2
	totpSecretBytes = 20 // RFC 4226 section 4, R6
	qrPixels        = 256
)

// totpPeriods are those of imported authenticators; ours are made with the first. A
// longer one would keep a code good for minutes.
var totpPeriods = []int{totpPeriod, 60}

// totpDigits are the lengths of codes that apps show.
var totpDigits = []int{6, 8}

// TOTPOptions say how new authenticators are made and how exact codes must be.
type Options struct {
	Strict    bool   // accept the current step only; else one step either side too
	Digits    int    // 6 (also 0) or 8
	Algorithm string // "SHA1" (also ""), "SHA256", "SHA512"
}

// TOTP is the method "totp" (RFC 6238).
type Method struct {
	random  io.Reader
	product string
	window  int64
	fresh   parameters
}

// totpData is what an authenticator app must know beside the secret.
type parameters struct {
	Algorithm string `json:"algorithm"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period"`
}

// NewTOTP returns the method "totp". product is the issuer shown by apps.
func New(random io.Reader, product string, o Options) *Method {
	t := &Method{random: random, product: product, window: 1,
		fresh: parameters{Algorithm: cmp.Or(o.Algorithm, "SHA1"), Digits: cmp.Or(o.Digits, 6), Period: totpPeriod}}
	if o.Strict {
		t.window = 0
	}
	return t
}

// Product is the issuer that apps show.
func (t *Method) Product() string { return t.product }

// Info says what the method is.
func (t *Method) Info() mfa.Info {
	return mfa.Info{Name: Name, Texts: texts, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"},
		Second: true, Typed: true, Numeric: true, Enrolls: true, Bucket: throttle.Factor}
}

// CodeAt is the code an app enrolled with the server's parameters shows at a time.
func (t *Method) CodeAt(secret []byte, at time.Time) string {
	return totpCode(secret, at.Unix()/totpPeriod, t.fresh)
}

// CodeOf is the code an authenticator's app shows at a time.
func (t *Method) CodeOf(a storage.Authenticator, at time.Time) string {
	d := dataOf(a)
	return totpCode(a.Secret, at.Unix()/int64(d.Period), d)
}

// Parse refuses what can not be a code before anything is counted: it must consist
// of exactly as many ASCII digits as one of the authenticators shows. Of whom nothing
// is proven yet every length there is may be: which one is taken would tell who has
// an account.
func (t *Method) Parse(a mfa.Attempt, r mfa.Response) error {
	_, err := t.typed(a, r)
	return err
}

func (t *Method) typed(a mfa.Attempt, r mfa.Response) (string, error) {
	var code string
	if err := json.Unmarshal(r, &code); err != nil || code == "" || strings.Trim(code, "0123456789") != "" {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	candidates := t.candidates(a)
	if len(candidates) == 0 && len(code) == t.fresh.Digits {
		return code, nil
	}
	if a.Usage != mfa.UsageSecond && a.Usage != mfa.UsageEnroll && slices.Contains(totpDigits, len(code)) {
		return code, nil
	}
	for _, c := range candidates {
		if len(code) == dataOf(c).Digits {
			return code, nil
		}
	}
	return "", &mfa.Error{Code: mfa.InvalidRequest}
}

// Begin does nothing: the app shows codes without being asked.
func (t *Method) Begin(context.Context, mfa.Attempt) (mfa.Challenge, mfa.State, error) {
	return nil, nil, nil
}

// Finish compares a code with the steps around now of every authenticator that may
// answer. All are computed always. The newest matching step that was not accepted
// before wins; the very step accepted last is Replayed; older ones are wrong.
func (t *Method) Finish(_ context.Context, a mfa.Attempt, _ mfa.State, r mfa.Response) (mfa.Proof, error) {
	code, err := t.typed(a, r)
	if err != nil {
		return mfa.Proof{}, err
	}
	candidates := t.candidates(a)
	if len(candidates) == 0 {
		// Nobody's code: costs what somebody's costs.
		t.match(storage.Authenticator{Secret: make([]byte, totpSecretBytes)}, code, a.Now)
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
				Spend: storage.CredentialSpend{User: a.Account.User.ID, Authenticator: c.ID, Step: step}}
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

// match returns the newest acceptable step whose code this is (0: none), and whether
// it is the code of the step accepted last.
func (t *Method) match(c storage.Authenticator, code string, now time.Time) (int64, bool) {
	d := dataOf(c)
	at := now.Unix() / int64(d.Period)
	var newest int64
	again := false
	for step := at - t.window; step <= at+t.window; step++ {
		want := totpCode(c.Secret, step, d)
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

// candidates are the authenticators that may answer: the one asked for, or any of
// the user's. A pending one answers its own enrolment only.
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
		if x.Method != Name || x.State != want || x.UserID != a.Account.User.ID {
			continue
		}
		if a.Authenticator == nil && a.Usage == mfa.UsageEnroll || a.Authenticator != nil && a.Authenticator.ID != x.ID {
			continue
		}
		out = append(out, x)
	}
	return out
}

// Enroll makes a new secret.
func (t *Method) Enroll(_ context.Context, label string) (storage.Authenticator, mfa.Handout, error) {
	return t.enroll(label, totpSecretBytes, t.fresh)
}

func (t *Method) enroll(label string, size int, d parameters) (storage.Authenticator, mfa.Handout, error) {
	secret := make([]byte, size)
	if _, err := io.ReadFull(t.random, secret); err != nil {
		return storage.Authenticator{}, mfa.Handout{}, fmt.Errorf("make totp secret: %w", err)
	}
	a, err := made(secret, d)
	if err != nil {
		return storage.Authenticator{}, mfa.Handout{}, err
	}
	h, err := t.Handout(a, label)
	return a, h, err
}

// made is an authenticator with these parameters around a secret.
func made(secret []byte, d parameters) (storage.Authenticator, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return storage.Authenticator{}, fmt.Errorf("write totp parameters: %w", err)
	}
	return storage.Authenticator{Method: Name, Secret: secret, Data: data}, nil
}

// Handout writes the otpauth address (Key Uri Format) and its QR code.
func (t *Method) Handout(a storage.Authenticator, label string) (mfa.Handout, error) {
	d := dataOf(a)
	text := base32Of(a.Secret)
	q := url.Values{"secret": {text}, "issuer": {t.product}, "algorithm": {d.Algorithm},
		"digits": {strconv.Itoa(d.Digits)}, "period": {strconv.Itoa(d.Period)}}
	// The colon parts issuer and account, so neither may hold one. Apps do not read
	// '+' as a space.
	name := strings.ReplaceAll(t.product, ":", " ") + ":" + strings.ReplaceAll(label, ":", " ")
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + name, RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}
	key, err := otp.NewKeyFromURL(u.String())
	if err != nil {
		return mfa.Handout{}, errors.New("write otpauth address")
	}
	picture, err := key.Image(qrPixels, qrPixels)
	if err != nil {
		return mfa.Handout{}, errors.New("draw QR code") // the cause may hold the secret
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return mfa.Handout{}, errors.New("encode QR code")
	}
	return mfa.Handout{Secret: text, URI: u.String(), QR: file.Bytes()}, nil
}

func base32Of(b []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// totpCode is the code of a step (RFC 4226 section 5.3).
func totpCode(secret []byte, step int64, d parameters) string {
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

// dataOf reads an authenticator's parameters; missing ones are RFC 6238's.
func dataOf(a storage.Authenticator) parameters {
	var d parameters
	if len(a.Data) > 0 && json.Unmarshal(a.Data, &d) != nil {
		d = parameters{}
	}
	if !slices.Contains(totpPeriods, d.Period) {
		d.Period = totpPeriod
	}
	return parameters{Algorithm: cmp.Or(d.Algorithm, "SHA1"), Digits: cmp.Or(d.Digits, 6), Period: d.Period}
}

// Import reads a secret as other systems write it, in any case, with or without padding
// and spaces, with the parameters its app was given; zero values are the server's own.
func (t *Method) Import(text string, shape mfa.Shape, period int) (storage.Authenticator, error) {
	text = strings.TrimRight(strings.ToUpper(strings.ReplaceAll(text, " ", "")), "=")
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(secret) < 10 || len(secret) > 128 {
		return storage.Authenticator{}, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("totp secret is not base32 of 10 to 128 bytes")}
	}
	shape = mfa.Shape{Algorithm: cmp.Or(shape.Algorithm, t.fresh.Algorithm), Digits: cmp.Or(shape.Digits, t.fresh.Digits)}
	period = cmp.Or(period, totpPeriod)
	if !slices.Contains(t.Shapes(), shape) || !slices.Contains(totpPeriods, period) {
		return storage.Authenticator{}, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("totp parameters are none that apps know")}
	}
	return made(secret, parameters{Algorithm: shape.Algorithm, Digits: shape.Digits, Period: period})
}

// SameCodes reports whether two authenticators always show the same codes.
func SameCodes(a, b storage.Authenticator) bool {
	return seal.Equal(string(a.Secret), string(b.Secret)) && dataOf(a) == dataOf(b)
}
