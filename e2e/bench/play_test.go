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
)

// tokens is the used part of a token response.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// refusal is a response of a server that has too much to do, or was asked too much.
type refusal struct {
	code int
	took time.Duration // from the request to it
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with %d", r.code) }

// login makes a complete login as a browser does: authorize, the page, its form posted with
// the password, the next page with a code if the client demands a second factor, and the
// exchange of the code for tokens.
func login(c *client, id string, who *people) (tokens, error) {
	c.forget()
	second := id == "second"
	user, step, err := who.next(second, time.Now())
	if err != nil {
		return tokens{}, err
	}
	r, err := c.get(authorize(id))
	if r, err = follow(c, r, err); err != nil {
		return tokens{}, err
	}
	if r, err = submit(c, r, url.Values{"username": {userName(user)}, "password": {benchPassword}}); err != nil {
		return tokens{}, err
	}
	if second {
		if r, err = submit(c, r, url.Values{"passcode": {passcode(user, step)}}); err != nil {
			return tokens{}, err
		}
	}
	return exchange(c, id, r)
}

// exchange exchanges the code in a redirect to the client.
func exchange(c *client, id string, r response) (tokens, error) {
	if !strings.HasPrefix(r.location, benchRedirect+"?code=") {
		return tokens{}, fmt.Errorf("login ended with %d at %q: %s", r.code, r.location, r.body)
	}
	r, err := c.post("/token", codeRequest(r), basic(id))
	if err := want(200)(r, err); err != nil {
		return tokens{}, err
	}
	var t tokens
	return t, json.Unmarshal(r.body, &t)
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
func codeRequest(r response) url.Values {
	back, err := url.Parse(r.location)
	if err != nil {
		return nil
	}
	return url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {benchRedirect}, "code_verifier": {verifier}}
}

// follow follows a redirect to a page of the server and stops at the client's.
func follow(c *client, r response, err error) (response, error) {
	for err == nil && r.code == 303 && strings.HasPrefix(strings.TrimPrefix(r.location, "http://"+c.addr), "/") {
		r, err = c.get(strings.TrimPrefix(r.location, "http://"+c.addr))
	}
	if err == nil && r.code != 200 && r.code != 303 {
		err = unexpected(r)
	}
	return r, err
}

// submit posts the page's form with its hidden fields and the given ones.
func submit(c *client, page response, fields url.Values) (response, error) {
	action, all := fill(string(page.body), fields)
	if action == "" {
		return page, fmt.Errorf("no form: %s", page.body)
	}
	r, err := c.post(action, all, "Origin: http://"+c.addr)
	return follow(c, r, err)
}

// fill returns the action and the values of the form with the given fields.
func fill(text string, fields url.Values) (string, url.Values) {
	for _, form := range strings.Split(text, "<form")[1:] {
		form, _, _ = strings.Cut(form, "</form>")
		hidden, fits := url.Values{}, true
		for name := range fields {
			fits = fits && strings.Contains(form, ` name="`+name+`"`)
		}
		if !fits {
			continue
		}
		for _, input := range strings.Split(form, "<input")[1:] {
			input = input[:strings.IndexByte(input, '>')+1]
			if value(input, "type") == "hidden" {
				hidden.Set(value(input, "name"), value(input, "value"))
			}
		}
		for name := range fields {
			hidden.Set(name, fields.Get(name))
		}
		return value(form[:strings.IndexByte(form, '>')+1], "action"), hidden
	}
	return "", nil
}

// value returns an attribute of a tag.
func value(tag, name string) string {
	at := strings.Index(tag, " "+name+`="`)
	if at < 0 {
		return ""
	}
	text := tag[at+len(name)+3:]
	return strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#34;", `"`).Replace(text[:strings.IndexByte(text, '"')])
}

func want(code int) func(response, error) error {
	return func(r response, err error) error {
		if err == nil && r.code != code {
			err = unexpected(r)
		}
		return err
	}
}

// unexpected is the error of a response that should not be.
func unexpected(r response) error {
	if r.code == 429 || r.code == 503 {
		return &refusal{r.code, r.took}
	}
	return fmt.Errorf("status %d: %s", r.code, r.body)
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
