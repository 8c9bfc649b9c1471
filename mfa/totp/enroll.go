package totp

import (
	"bytes"
	"cmp"
	"context"
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

	"github.com/pquerna/otp"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/storage"
)

// Enroll returns a new authenticator with the server's parameters.
func (t *Method) Enroll(_ context.Context, h mfa.Holder) (storage.Authenticator, mfa.Handout, error) {
	return t.enroll(h, secretBytes, t.defaults)
}

func (t *Method) enroll(holder mfa.Holder, size int, d parameters) (storage.Authenticator, mfa.Handout, error) {
	secret := make([]byte, size)
	if _, err := io.ReadFull(t.random, secret); err != nil {
		return storage.Authenticator{}, mfa.Handout{}, fmt.Errorf("make totp secret: %w", err)
	}
	a, err := newAuthenticator(secret, d)
	if err != nil {
		return storage.Authenticator{}, mfa.Handout{}, err
	}
	h, err := t.Handout(a, holder)
	return a, h, err
}

// newAuthenticator returns an authenticator with a secret and parameters.
func newAuthenticator(secret []byte, d parameters) (storage.Authenticator, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return storage.Authenticator{}, fmt.Errorf("write totp parameters: %w", err)
	}
	return storage.Authenticator{Method: Name, Secret: secret, Data: data}, nil
}

// Handout returns the secret, its otpauth address (Key URI Format) and the QR code.
func (t *Method) Handout(a storage.Authenticator, h mfa.Holder) (mfa.Handout, error) {
	return t.HandoutAs(a, t.product, h.Label)
}

// HandoutAs is Handout for another issuer than the server's product.
func (t *Method) HandoutAs(a storage.Authenticator, issuer, label string) (mfa.Handout, error) {
	d := parametersOf(a)
	text := base32Of(a.Secret)
	q := url.Values{"secret": {text}, "issuer": {issuer}, "algorithm": {d.Algorithm},
		"digits": {strconv.Itoa(d.Digits)}, "period": {strconv.Itoa(d.Period)}}
	// A colon separates issuer and account, so neither may have one. Apps do not decode
	// '+' as a space.
	name := strings.ReplaceAll(issuer, ":", " ") + ":" + strings.ReplaceAll(label, ":", " ")
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + name, RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}
	key, err := otp.NewKeyFromURL(u.String())
	if err != nil {
		return mfa.Handout{}, errors.New("write otpauth address")
	}
	picture, err := key.Image(qrPixels, qrPixels)
	if err != nil {
		return mfa.Handout{}, errors.New("draw QR code") // the cause may have the secret
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

// SecretShapes says which secrets ParseSecret accepts.
const SecretShapes = "must be base32 of 10 to 128 bytes (16 letters at least), in upper or lower case; spaces, dashes and padding do not count"

// ParseSecret reads a base32 secret as apps and exports write it. Of other systems it may have
// 10 bytes only, which the first apps had; the server's own have 20 (RFC 4226 section 4, R6).
// It returns InvalidRequest for anything else, without quoting it.
func ParseSecret(text string) ([]byte, error) {
	text = strings.TrimRight(strings.ToUpper(input.Code(text)), "=")
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	// No encoder writes 1, 3 or 6 letters at the end (RFC 4648 section 6): one was lost.
	if err != nil || slices.Contains([]int{1, 3, 6}, len(text)%8) || len(secret) < 10 || len(secret) > 128 {
		return nil, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("totp_secret " + SecretShapes)}
	}
	return secret, nil
}

// Import returns an authenticator with a secret of ParseSecret. Zero values of shape and
// period mean the server's settings. It returns InvalidRequest for a malformed secret or
// parameters that apps do not support.
func (t *Method) Import(text string, shape mfa.Shape, period int) (storage.Authenticator, error) {
	secret, err := ParseSecret(text)
	if err != nil {
		return storage.Authenticator{}, err
	}
	shape = mfa.Shape{Algorithm: cmp.Or(shape.Algorithm, t.defaults.Algorithm), Digits: cmp.Or(shape.Digits, t.defaults.Digits)}
	period = cmp.Or(period, defaultPeriod)
	if !slices.Contains(t.Shapes(), shape) || !slices.Contains(periods, period) {
		return storage.Authenticator{}, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("totp parameters are none that apps know")}
	}
	return newAuthenticator(secret, parameters{Algorithm: shape.Algorithm, Digits: shape.Digits, Period: period})
}
