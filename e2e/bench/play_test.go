package bench

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // SHA-1 is what RFC 6238 authenticators speak
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"sallyport/e2e/load"
)

// tokens is the used part of a token response.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// login makes a complete login as a browser does: authorize, the page, its form posted with
// the password, the next page with a code if the client demands a second factor, and the
// exchange of the code for tokens.
func login(c *load.Client, id string, who *people) (tokens, error) {
	user, step, err := who.next(id == "second", time.Now())
	if err != nil {
		return tokens{}, err
	}
	return loginOf(c, id, user, step)
}

// loginOf is the login of a user, whose code is that of a step.
func loginOf(c *load.Client, id string, user int, step int64) (tokens, error) {
	c.Forget()
	r, err := c.Open(authorize(id))
	if err != nil {
		return tokens{}, err
	}
	if r, err = c.Submit(r, url.Values{"username": {userName(user)}, "password": {benchPassword}}); err != nil {
		return tokens{}, err
	}
	if id == "second" {
		if r, err = c.Submit(r, url.Values{"passcode": {passcode(user, step)}}); err != nil {
			return tokens{}, err
		}
	}
	return exchange(c, id, r)
}

// exchange exchanges the code in a redirect to the client.
func exchange(c *load.Client, id string, r load.Response) (tokens, error) {
	if r.Code != 303 || !strings.HasPrefix(r.Location, benchRedirect+"?code=") {
		return tokens{}, fmt.Errorf("login ended with %d at %q: %s", r.Code, r.Location, r.Text())
	}
	r, err := c.Post("/token", codeRequest(r), basic(id))
	if err := want(200)(r, err); err != nil {
		return tokens{}, err
	}
	var t tokens
	return t, json.Unmarshal(r.Body, &t)
}

const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-and-fixed"

// authorize returns the URL that begins a login.
func authorize(id string) string {
	sum := sha256.Sum256([]byte(verifier))
	return "/authorize?" + url.Values{"client_id": {id}, "redirect_uri": {benchRedirect}, "response_type": {"code"},
		"scope": {"openid profile email offline_access"}, "state": {"0123456789abcdef"}, "nonce": {"fedcba9876543210"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}.Encode()
}

// codeRequest returns the token request for the code in a response.
func codeRequest(r load.Response) url.Values {
	back, err := url.Parse(r.Location)
	if err != nil {
		return nil
	}
	return url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {benchRedirect}, "code_verifier": {verifier}}
}

func want(code int) func(load.Response, error) error {
	return func(r load.Response, err error) error {
		if err == nil && r.Code != code {
			err = r.Unexpected()
		}
		return err
	}
}

func basic(id string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+benchSecret))
}

func totpKey(user int) []byte { return []byte(fmt.Sprintf("bench-totp-key-%05d", user)) }

func totpSecret(user int) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(totpKey(user))
}

// passcode is RFC 6238 with SHA-1 and 6 digits.
func passcode(user int, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, totpKey(user))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1000000)
}

func userName(user int) string { return fmt.Sprintf("bench%04d", user) }
