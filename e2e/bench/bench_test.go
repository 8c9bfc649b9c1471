// Package bench measures a server process on PostgreSQL: eight connections, everything
// durable, every response checked. `make bench` runs it; docs/performance.md has the
// figures and the machine.
package bench

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // SHA-1 is what RFC 6238 authenticators speak
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/storage/storagetest"
)

const (
	connections = 8
	userCount   = 2048
)

func TestMain(m *testing.M) {
	if job := os.Getenv("SALLYPORT_BENCH_SERVER"); job != "" {
		if err := runServer(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// start runs a server process and returns its address.
func start(tb testing.TB, job serverJob) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	job.Addr = l.Addr().String()
	_ = l.Close()
	job.DSN = storagetest.Postgres(tb)
	text, err := json.Marshal(job)
	if err != nil {
		tb.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SALLYPORT_BENCH_SERVER="+string(text))
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Process.Signal(syscall.SIGTERM); _ = c.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		tb.Fatalf("server: %q, %v", line, err)
	}
	if os.Getenv("SALLYPORT_BENCH_VERBOSE") != "" {
		tb.Logf("server at %s", job.Addr)
		fmt.Fprintln(os.Stderr, "server at", job.Addr)
	}
	return job.Addr
}

// load runs an operation b.N times over all connections and reports its cost.
func load(b *testing.B, addr string, prepare func(c *client, worker int) error, operation func(c *client, worker, n int) error) {
	b.Helper()
	clients := make([]*client, connections)
	for i := range clients {
		c, err := dial(addr)
		if err != nil {
			b.Fatal(err)
		}
		defer c.close()
		clients[i] = c
		if prepare != nil {
			if err := prepare(c, i); err != nil {
				b.Fatal(err)
			}
		}
	}
	before := used(b, clients[0])
	took := make([][]time.Duration, connections)
	var next atomic.Int64
	var wg sync.WaitGroup
	var failed atomic.Value
	b.ResetTimer()
	began := time.Now()
	for w, c := range clients {
		wg.Go(func() {
			for n := 0; next.Add(1) <= int64(b.N) && failed.Load() == nil; n++ {
				at := time.Now()
				if err := operation(c, w, n); err != nil {
					failed.Store(err)
					return
				}
				took[w] = append(took[w], time.Since(at))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(began)
	b.StopTimer()
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
	after := used(b, clients[0])
	all := slices.Concat(took...)
	slices.Sort(all)
	n := float64(b.N)
	b.ReportMetric(n/elapsed.Seconds(), "ops/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64((after.CPU-before.CPU).Microseconds())/n, "cpu-us/op")
	b.ReportMetric(float64(after.Statements-before.Statements)/n, "stmts/op")
	b.ReportMetric(float64(after.Commits-before.Commits)/n, "commits/op")
	b.ReportMetric(float64(after.RSS)/(1<<20), "rss-MiB")
}

func used(b *testing.B, c *client) usage {
	b.Helper()
	r, err := c.get("/bench/stats")
	if err != nil {
		b.Fatal(err)
	}
	var u usage
	if err := json.Unmarshal(r.body, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

// cheap returns a server with a fast password hash; real has the production hash.
func cheap(alg string) serverJob {
	return serverJob{Alg: alg, Memory: 8, Time: 1, Users: userCount}
}

func real(alg string) serverJob {
	return serverJob{Alg: alg, Memory: 19456, Time: 2, Users: userCount}
}

func BenchmarkDiscovery(b *testing.B) {
	addr := start(b, cheap("ES256"))
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks.json"} {
		b.Run(strings.TrimPrefix(path, "/.well-known/"), func(b *testing.B) {
			load(b, addr, nil, func(c *client, _, _ int) error { return want(200)(c.get(path)) })
		})
	}
}

func BenchmarkClientCredentials(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		addr := start(b, cheap(alg))
		for _, id := range []string{"plain", "opaque"} {
			b.Run(alg+"/"+id, func(b *testing.B) {
				form := url.Values{"grant_type": {"client_credentials"}}
				load(b, addr, nil, func(c *client, _, _ int) error { return want(200)(c.post("/token", form, basic(id))) })
			})
		}
	}
}

func BenchmarkLogin(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		addr := start(b, cheap(alg))
		b.Run(alg+"/no-hash", func(b *testing.B) {
			load(b, addr, nil, func(c *client, _, _ int) error { _, err := play(c, "plain", person(), false); return err })
		})
	}
	// Each login with TOTP spends a step of a user, and three steps are valid at a time.
	b.Run("ES256/no-hash-totp", func(b *testing.B) {
		addr := start(b, cheap("ES256"))
		b.ResetTimer()
		load(b, addr, nil, func(c *client, _, _ int) error { _, err := play(c, "second", person(), true); return err })
	})
	b.Run("ES256/argon2id-totp", func(b *testing.B) {
		addr := start(b, real("ES256"))
		b.ResetTimer()
		load(b, addr, nil, func(c *client, _, _ int) error { _, err := play(c, "second", person(), true); return err })
	})
}

func BenchmarkTokens(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		addr := start(b, cheap(alg))
		held := make([]tokens, connections)
		prepare := func(c *client, w int) (err error) {
			c.forget()
			held[w], err = play(c, "plain", person(), false)
			return err
		}
		b.Run(alg+"/refresh", func(b *testing.B) {
			load(b, addr, prepare, func(c *client, w, _ int) error {
				r, err := c.post("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {held[w].Refresh}}, basic("plain"))
				if err := want(200)(r, err); err != nil {
					return err
				}
				return json.Unmarshal(r.body, &held[w])
			})
		})
		b.Run(alg+"/introspection", func(b *testing.B) {
			load(b, addr, prepare, func(c *client, w, _ int) error {
				return want(200)(c.post("/introspect", url.Values{"token": {held[w].Access}}, basic("plain")))
			})
		})
		b.Run(alg+"/userinfo", func(b *testing.B) {
			load(b, addr, prepare, func(c *client, w, _ int) error {
				return want(200)(c.get("/userinfo", "Authorization: Bearer "+held[w].Access))
			})
		})
	}
}

// tokens is the used part of a token response.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// persons counts the users taken.
var persons atomic.Int64

// person returns the next user, so that no code is used twice.
func person() int { return int(persons.Add(1)) }

// play makes a complete login: authorize, password, second factor, code, tokens.
func play(c *client, id string, user int, second bool) (tokens, error) {
	c.forget()
	user %= userCount
	r, err := c.get(authorize(id))
	if r, err = follow(c, r, err); err != nil {
		return tokens{}, err
	}
	if r, err = submit(c, r, url.Values{"username": {fmt.Sprintf("bench%04d", user)}, "password": {benchPassword}}); err != nil {
		return tokens{}, err
	}
	if second {
		if r, err = submit(c, r, url.Values{"passcode": {passcode(user, time.Now().Unix()/30)}}); err != nil {
			return tokens{}, err
		}
	}
	if !strings.HasPrefix(r.location, benchRedirect) {
		return tokens{}, fmt.Errorf("login ended with %d at %q: %s", r.code, r.location, r.body)
	}
	r, err = c.post("/token", codeRequest(r), basic(id))
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
		err = fmt.Errorf("status %d: %s", r.code, r.body)
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
			err = fmt.Errorf("status %d, want %d: %s", r.code, code, r.body)
		}
		return err
	}
}

func basic(id string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+benchSecret))
}

func benchKey(user int) []byte { return []byte(fmt.Sprintf("bench-totp-key-%05d", user)) }

func benchTOTP(user int) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(benchKey(user))
}

// passcode is RFC 6238 with SHA-1 and 6 digits.
func passcode(user int, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, benchKey(user))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1000000)
}
