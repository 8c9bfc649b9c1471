package e2e

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"sallyport/e2e/collector"
	"sallyport/storage/storagetest"
)

// vault is a stage with known secrets and every place where one could leak.
type vault struct {
	*stage
	tap      *tap
	engine   string
	postgres string // folder of its database server; "": none
	temp     string
	measured lines
	traces   *collector.Collector
	keys     map[string]string // API keys by dialect
}

// TestPlantedSecretsAreNowhere runs every flow, correctly and wrongly, and then searches
// everything the server leaves behind for every secret, in every encoding (S-1, L-1). The
// run must leave the audit trail that L-2 demands.
func TestPlantedSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			v := newVault(t, engine)
			v.play(t)
			v.scrape(t)
			v.audit(t)
			v.search(t)
		})
	}
}

// loud makes PostgreSQL write as much as possible: full, uncompressed pages to the WAL, and
// every statement with its parameters to its log.
var loud = []string{"-c full_page_writes=on", "-c wal_compression=off", "-c checkpoint_timeout=1h", "-c max_wal_size=4GB", "-c log_statement=all",
	"-c log_min_duration_statement=0", "-c log_parameter_max_length=-1", "-c log_parameter_max_length_on_error=-1", "-c log_error_verbosity=verbose",
	"-c log_line_prefix=", "-c log_connections=on"}

func newVault(t *testing.T, engine string) *vault {
	t.Helper()
	dir := t.TempDir()
	v := &vault{engine: engine, temp: t.TempDir(), traces: collector.New(t)}
	dsn, password := "sqlite:"+filepath.Join(dir, "sallyport.db"), ""
	private := dsn
	if engine == "postgres" {
		address, folder := storagetest.OwnPostgres(t, loud...)
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		password = random(16)
		u.User = url.UserPassword(u.User.Username(), password)
		dsn, private, v.postgres = address, u.String(), folder
	}
	v.stage = setStageWith(t, dir, dsn, func(s *stage) string { return s.state(30, 30) })
	writeFile(t, filepath.Join(dir, "dsn"), private)
	text := readFile(t, v.config)
	text = strings.Replace(text, fmt.Sprintf("  dsn: %q\n", dsn), "  dsn_file: "+filepath.Join(dir, "dsn")+"\n", 1)
	// All callers have one address, and most fail.
	writeFile(t, v.config, "log_level: debug\nthrottle: {address_failures: 100000, address_users: 100000}\n"+text)
	v.env = append(v.env, "TMPDIR="+v.temp, "SALLYPORT_TRACING_ENDPOINT="+v.traces.URL)
	v.tap = newTap(t, v.stage)
	v.tap.plant(password, "password of the database")
	for line := range strings.Lines(readFile(t, filepath.Join(dir, "keys"))) {
		if _, key, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			v.tap.plant(key, "key file")
		}
	}
	for _, list := range v.free {
		for _, u := range list {
			v.tap.plant(u.password, "imported password")
			v.tap.plant(u.totp, "imported TOTP secret")
			if u.totp != "" {
				for _, code := range recoveryCodes(u) {
					v.tap.plant(code, "imported recovery code")
				}
			}
		}
	}
	v.tap.plant(v.secret, "client secret")
	v.command(t, "apply", "--config", v.config, writeState(t, dir, shop+v.backends()))
	v.provide(t)
	v.serve(t)
	return v
}

// shop has two applications of the dialect.
const shop = `clients:
  - client_id: shop
    client_name: The shop
    public: true
    silent_login: true
    headless_login: true
    manages_factors: true
    passwordless: true
    redirect_uris: ["` + shopRedirect + `"]
    post_logout_redirect_uris: ["` + shopRedirect + `/bye"]
    grant_types: [authorization_code, refresh_token]
    scopes: [openid, email, offline_access]
  - client_id: mall
    client_name: The mall
    public: true
    silent_login: true
    headless_login: true
    manages_factors: true
    mfa: ALWAYS
    login_url: "` + shopRedirect + `/login"
    redirect_uris: ["` + shopRedirect + `"]
    scopes: [openid]
`

const shopRedirect = "http://127.0.0.1:9/shop"

func writeState(t *testing.T, dir, text string) string {
	t.Helper()
	file := filepath.Join(dir, "state-"+random(4)+".yaml")
	writeFile(t, file, text)
	return file
}

// scrape stores the server's metrics.
func (v *vault) scrape(t *testing.T) {
	t.Helper()
	r, err := http.Get(v.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(&v.measured, r.Body); err != nil {
		t.Fatal(err)
	}
}

// source is a place where a secret could leak.
type source struct {
	name  string
	text  []byte
	holds string // must occur, or nothing was read
	reach reach  // of what it may contain
}

func (v *vault) sources(t *testing.T) []source {
	t.Helper()
	processes := v.processes(t)
	crash := v.crash(t)
	out := []source{
		{"the server's output", []byte(v.log.String()), `"route":"/login"`, nowhere},
		{"what it prints when it is killed", crash, "goroutine ", nowhere},
		{"metrics", []byte(v.measured.String()), "sallyport_http_requests_total", nowhere},
		{"traces", v.spans(), "POST /login", nowhere},
		{"the process list", processes, v.config, nowhere},
		{"what commands are called with and print", []byte(v.called.String()), "apply", nowhere},
	}
	if v.engine == "sqlite" {
		return append(out,
			source{"the database", files(t, filepath.Dir(v.config), "sallyport.db"), "@example.com", database},
			source{"a backup", files(t, filepath.Dir(v.config), "copy"), "@example.com", database})
	}
	dump, data := filepath.Join(t.TempDir(), "dump"), filepath.Join(v.postgres, "data")
	tool(t, "pg_dump", "--file="+dump, v.dsn)
	out = append(out,
		source{"a dump", []byte(readFile(t, dump)), "@example.com", database},
		source{"the database's journal", files(t, data, "pg_wal/"), "@example.com", database},
		source{"the database's log", files(t, v.postgres, "log"), "= 'user00@example.com'", statements})
	if _, err := v.behind(t).ExecContext(t.Context(), "CHECKPOINT"); err != nil {
		t.Fatal(err)
	}
	return append(out, source{"the files of the database", files(t, data, "base/"), "@example.com", database})
}

// spans returns what the trace collector received.
func (v *vault) spans() []byte {
	var out bytes.Buffer
	headers, resource := v.traces.Last()
	fmt.Fprintln(&out, headers, resource)
	for _, s := range v.traces.Spans() {
		fmt.Fprintln(&out, s.Name, s.Scope, s.Text)
	}
	return out.Bytes()
}

// files returns the files of a folder with a prefix.
func files(t *testing.T, dir, prefix string) []byte {
	t.Helper()
	var out bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || e.IsDir() || !strings.HasPrefix(name, prefix) {
			return err
		}
		text, err := os.ReadFile(path)
		out.Write(text)
		out.WriteByte('\n')
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// processes returns what every user, and what its owner, sees of the server process.
func (v *vault) processes(t *testing.T) []byte {
	t.Helper()
	lists, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, file := range append(lists, fmt.Sprintf("/proc/%d/environ", v.server.Process.Pid)) {
		text, _ := os.ReadFile(file) // processes come and go
		out.Write(text)
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// crash kills the server with SIGQUIT and returns its stack traces.
func (v *vault) crash(t *testing.T) []byte {
	t.Helper()
	before := len(v.log.String())
	_ = v.server.Process.Signal(syscall.SIGQUIT)
	err := v.server.Wait()
	v.server = nil
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 {
		t.Errorf("killed, the server ended with %v, want exit code 2", err)
	}
	return []byte(v.log.String()[before:])
}

// numbers matches measurements, which look like codes of an app.
var numbers = regexp.MustCompile(`(?m)("took":|"bytes":|^[a-z_]+(?:\{[^}]*\})? )[0-9.e+-]+`)

func (v *vault) search(t *testing.T) {
	indexes := map[reach]*storagetest.Index{}
	for _, r := range []reach{nowhere, database, statements} {
		indexes[r] = storagetest.NewIndex(v.tap.all(r))
	}
	t.Logf("%d secrets in %d spellings", len(v.tap.secrets), indexes[nowhere].Size())
	for _, s := range v.sources(t) {
		if !bytes.Contains(s.text, []byte(s.holds)) {
			t.Errorf("%s: %d bytes without %q: nothing was searched", s.name, len(s.text), s.holds)
		}
		if s.reach == nowhere {
			s.text = numbers.ReplaceAll(s.text, []byte("$1#"))
		}
		seen := map[string]bool{}
		for _, h := range indexes[s.reach].Search(s.text) {
			if !seen[h.Secret] {
				t.Errorf("%s holds %s %q, %s: ..%q", s.name, v.tap.secrets[h.Secret].met, h.Secret, h.Spelling, around(s.text, h))
			}
			seen[h.Secret] = true
		}
	}
	if left, err := os.ReadDir(v.temp); err != nil || len(left) > 0 {
		t.Errorf("temporary files: %v, %v, want none", left, err)
	}
}

func around(text []byte, h storagetest.Hit) []byte {
	return text[max(0, h.At-80):min(len(text), h.At+len(h.Text)+40)]
}
