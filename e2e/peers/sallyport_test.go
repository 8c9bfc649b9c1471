package peers

import (
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/argon2"

	"sallyport/config"
	"sallyport/e2e/load"
)

// startSallyport starts the server twice: with a password hash that is nearly free, and with
// the default one.
func startSallyport(b *testing.B, db *database) (*peer, error) {
	cheap, err := serve(b, db, serverJob{Database: "sallyport", Memory: 8, Time: 1, Users: 4096})
	if err != nil {
		return nil, err
	}
	c := config.Default().Argon2
	hashed, err := serve(b, db, serverJob{Database: "sallyport_hashed", Memory: c.Memory, Time: c.Time, Users: 64})
	if err != nil {
		return nil, err
	}
	e := endpoints{discovery: "/.well-known/openid-configuration", authorize: "/authorize", token: "/token", introspection: "/introspect", userinfo: "/userinfo",
		scope: "openid profile email offline_access", alg: "ES256"}
	rsa, second := e, e
	rsa.client, rsa.alg, second.client = "rsa", "RS256", "second"
	many, few, steps := newPeople(4096), newPeople(64), &steps{used: map[string]int64{}}
	p := &peer{version: "this tree", on: cheap, flows: e.flows(signIn(e, many, nil))}
	withRSA := rsa.flows(signIn(rsa, many, nil))
	p.flows[loginRSA], p.flows[refreshRSA] = withRSA[login], withRSA[refresh]
	p.flows[loginTOTP] = flow{do: done(signIn(second, many, steps))}
	p.flows[loginHashed] = flow{do: done(signIn(e, few, nil)), on: hashed}
	p.flows[hashAlone] = flow{on: hashed, do: func(*visit) error { // in this process: what the machine allows
		argon2.IDKey([]byte(userPassword), []byte("the salt of this"), c.Time, c.Memory, c.Threads, 32)
		return nil
	}}
	return p, nil
}

// done is a login whose tokens are not used.
func done(signIn func(*visit) (tokens, error)) func(*visit) error {
	return func(v *visit) error { _, err := signIn(v); return err }
}

// signIn is a login on the pages of the server; with steps it asks for a code.
func signIn(e endpoints, people *people, steps *steps) func(*visit) (tokens, error) {
	return func(v *visit) (tokens, error) {
		v.Forget()
		name := people.next()
		r, err := v.Open(e.authorization(nil))
		if err == nil {
			r, err = v.Submit(r, url.Values{"username": {name}, "password": {userPassword}})
		}
		if err == nil && steps != nil {
			var code string
			if code, err = steps.code(name); err == nil {
				r, err = v.Submit(r, url.Values{"passcode": {code}})
			}
		}
		if err != nil {
			return tokens{}, err
		}
		return e.exchange(v, r)
	}
}

// steps are the time steps that users have spent: each can be used once, and three are
// valid at a time.
type steps struct {
	mu   sync.Mutex
	used map[string]int64
}

func (s *steps) code(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Unix() / 30
	step := max(s.used[name]+1, now-1)
	if step > now+1 {
		return "", fmt.Errorf("%s has used every code of this minute: there are too few users", name)
	}
	s.used[name] = step
	return totp.GenerateCode(totpSecret(name), time.Unix(step*30, 0))
}

func totpSecret(name string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte("the totp key: " + name))
}

// serve starts this test binary as a server.
func serve(b *testing.B, db *database, job serverJob) (*process, error) {
	b.Helper()
	dir, err := os.MkdirTemp(b.TempDir(), "server")
	if err != nil {
		return nil, err
	}
	p := &process{addr: load.FreeAddress(b)}
	job.Addr, job.KeyFile = p.addr, filepath.Join(dir, "keys")
	if job.DSN, err = db.create(job.Database); err != nil {
		return nil, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	return p, launch(b, p, "http://"+p.addr+"/.well-known/openid-configuration", []string{serverVariable + "=" + string(text)}, os.Args[0])
}
