package faults

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/e2e/play"
	"sallyport/storage/storagetest"
)

// ha is the set-up of deploy/ha on loopback, from its files: machines with PostgreSQL under
// Patroni, three etcds, HAProxy and PgBouncer. What a machine receives, and its ways to etcd, are wires.
type ha struct {
	t       *testing.T
	dir     string
	user    *syscall.SysProcAttr // who runs PostgreSQL
	nodes   []*node
	etcds   [3]*etcd
	primary string // address of HAProxy
	pooled  string // DSN of PgBouncer
	direct  string // DSN of the primary, past PgBouncer
}

// node is a machine with PostgreSQL.
type node struct {
	ha                 *ha
	name, dir          string
	postgres, rest     int      // ports of the processes
	etcd               *etcd    // on this machine
	etcds              [3]*wire // its ways to them
	inPostgres, inREST *wire
	patroni            *exec.Cmd
}

// everyPassword is every password of the files of deploy/ha.
const everyPassword = "a-password-of-the-tests"

// newHA starts the set-up, and creates the role and the database of the server.
func newHA(t *testing.T, size int) *ha {
	t.Helper()
	dir, user := newLifeline(t)
	h := &ha{t: t, dir: dir, user: user}
	h.certificates()
	h.quorum()
	for i := range size {
		n := &node{ha: h, name: fmt.Sprintf("db%d", i+1), dir: h.file(fmt.Sprintf("db%d", i+1)), postgres: h.port(), rest: h.port(), etcd: h.etcds[i]}
		for i, e := range h.etcds {
			n.etcds[i] = newWire(t, fmt.Sprintf("127.0.0.1:%d", e.client))
		}
		n.inPostgres, n.inREST = newWire(t, fmt.Sprintf("127.0.0.1:%d", n.postgres)), newWire(t, fmt.Sprintf("127.0.0.1:%d", n.rest))
		h.nodes = append(h.nodes, n)
		n.configure()
		n.start()
		if i == 0 {
			soon(t, "there is a primary", time.Minute, func() bool { return n.rests("/primary") })
		}
	}
	h.balance()
	h.create()
	soon(t, "there is a synchronous standby", time.Minute, func() bool {
		return slices.ContainsFunc(h.nodes, func(n *node) bool { return n.rests("/sync") })
	})
	return h
}

func (h *ha) file(name string) string { return filepath.Join(h.dir, name) }

func (h *ha) port() int {
	h.t.Helper()
	port, err := play.FreePort()
	if err != nil {
		h.t.Fatal(err)
	}
	return port
}

// render returns a file of deploy/ha with replacements, each of which it must have a place for.
func (h *ha) render(name string, replace map[string]string) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy/ha", name))
	if err != nil {
		h.t.Fatal(err)
	}
	var pairs []string
	for from, to := range replace {
		if !strings.Contains(string(text), from) {
			h.t.Fatalf("deploy/ha/%s has no %q to replace", name, from)
		}
		pairs = append(pairs, from, to)
	}
	return strings.NewReplacer(pairs...).Replace(string(text))
}

// write writes a file that the processes can read.
func (h *ha) write(name, text string) string {
	h.t.Helper()
	if err := os.WriteFile(h.file(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.give(h.file(name))
	return h.file(name)
}

// give gives a file to who runs PostgreSQL.
func (h *ha) give(path string) {
	h.t.Helper()
	if h.user == nil {
		return
	}
	if err := os.Chown(path, int(h.user.Credential.Uid), int(h.user.Credential.Gid)); err != nil {
		h.t.Fatal(err)
	}
}

// run starts a process that ends with the test. Its output is in a file.
func (h *ha) run(name string, env []string, command ...string) *exec.Cmd {
	h.t.Helper()
	log, err := os.OpenFile(h.file(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	path, err := exec.LookPath(command[0])
	if err != nil {
		path = filepath.Join("/usr/sbin", command[0])
	}
	c := exec.Command(path, command[1:]...)
	c.Dir, c.Env, c.Stdout, c.Stderr = h.dir, append(os.Environ(), env...), log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if h.user != nil {
		c.SysProcAttr.Credential = h.user.Credential
		c.Env = append(c.Env, "HOME="+h.dir)
	}
	if err := c.Start(); err != nil {
		h.t.Fatalf("%v (deploy/needs installs what is missing)", err)
	}
	h.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if h.t.Failed() {
			text, _ := os.ReadFile(h.file(name + ".log"))
			h.t.Logf("log of %s, its end:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
	return c
}

func (n *node) configure() {
	h := n.ha
	bin, _, err := storagetest.Installation(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	h.give(n.dir)
	h.write(n.name+".yml", h.render("patroni.yml", map[string]string{
		"etcd:\n":                        "etcd:\n  use_proxies: true\n", // its own way to etcd, not the address that etcd names
		"name: db1":                      "name: " + n.name,
		"listen: 10.0.0.1:8008":          fmt.Sprintf("listen: 127.0.0.1:%d", n.rest),
		"connect_address: 10.0.0.1:8008": "connect_address: " + n.inREST.host(),
		"listen: 10.0.0.1:5432":          fmt.Sprintf("listen: 127.0.0.1:%d", n.postgres),
		"connect_address: 10.0.0.1:5432": "connect_address: " + n.inPostgres.host(),
		`"10.0.0.1:2379", "10.0.0.2:2379", "10.0.0.3:2379"`: fmt.Sprintf("%q, %q, %q", n.etcds[0].host(), n.etcds[1].host(), n.etcds[2].host()),
		"loop_wait: 5":                pick("loop_wait: 1", "loop_wait: 5"),
		"retry_timeout: 5":            pick("retry_timeout: 3", "retry_timeout: 5"),
		"/var/lib/postgresql/15/main": filepath.Join(n.dir, "data"),
		"/usr/lib/postgresql/15/bin":  bin,
		"/var/lib/postgresql/pgpass":  filepath.Join(n.dir, "pgpass"),
		"/var/run/postgresql":         n.dir,
		"/etc/patroni":                h.dir,
		"10.0.0.0/29":                 "127.0.0.0/8", "10.0.0.0/24": "127.0.0.0/8",
		"local all postgres peer": "local all postgres trust", // root runs the tests
		"REST_PASSWORD":           everyPassword,
		"SUPERUSER_PASSWORD":      everyPassword,
		"REPLICATION_PASSWORD":    everyPassword,
		"REWIND_PASSWORD":         everyPassword,
	}))
}

// start starts Patroni, which starts PostgreSQL.
func (n *node) start() {
	n.ha.t.Helper()
	n.patroni = n.ha.run(n.name, nil, "patroni", n.ha.file(n.name+".yml"))
}

// restart starts what signal killed.
func (n *node) restart() {
	n.ha.startEtcd(n.etcd)
	n.start()
}

// rests reports whether a check of Patroni's REST interface succeeds.
func (n *node) rests(path string) bool {
	r, err := (&http.Client{Timeout: time.Second}).Get(fmt.Sprintf("http://127.0.0.1:%d%s", n.rest, path))
	if err != nil {
		return false
	}
	r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// processes returns Patroni, the postmaster and its children.
func (n *node) processes() []int {
	n.ha.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "data/postmaster.pid"))
	if err != nil {
		n.ha.t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		n.ha.t.Fatal(err)
	}
	out := []int{n.patroni.Process.Pid, postmaster}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", postmaster, postmaster))
	if err != nil {
		n.ha.t.Fatal(err)
	}
	for _, word := range strings.Fields(string(children)) {
		if child, err := strconv.Atoi(word); err == nil {
			out = append(out, child)
		}
	}
	return out
}

// signal signals the machine's processes, all or those of PostgreSQL alone.
func (n *node) signal(s syscall.Signal, all bool) {
	if all {
		_ = n.etcd.cmd.Process.Signal(s)
	}
	for i, process := range n.processes() {
		if i > 0 || all {
			_ = syscall.Kill(process, s)
		}
	}
}

// cut is the network of a machine: with hole it receives nothing and does not reach etcd. Its own etcd
// stays with the others.
func (n *node) cut(state linkState) {
	for _, w := range append(n.etcds[:], n.inPostgres, n.inREST) {
		w.set(state)
	}
}

// leader returns the primary, unless it is one of others, or nil.
func (h *ha) leader(others ...*node) *node {
	for _, n := range h.nodes {
		if !slices.Contains(others, n) && n.rests("/primary") {
			return n
		}
	}
	return nil
}

// balance starts HAProxy and PgBouncer.
func (h *ha) balance() {
	h.t.Helper()
	port := h.port()
	replace := map[string]string{"bind 127.0.0.1:5000": fmt.Sprintf("bind 127.0.0.1:%d", port), "    log /dev/log local0\n": "    log stdout format raw local0\n"}
	for i := range 3 {
		line := fmt.Sprintf("    server db%d 10.0.0.%d:5432 check port 8008\n", i+1, i+1)
		replace[line] = ""
		if i < len(h.nodes) {
			n := h.nodes[i]
			_, rest, _ := strings.Cut(n.inREST.host(), ":")
			replace[line] = fmt.Sprintf("    server %s %s check port %s\n", n.name, n.inPostgres.host(), rest)
		}
	}
	h.run("haproxy", nil, "haproxy", "-db", "-f", h.write("haproxy.cfg", h.render("haproxy.cfg", replace)))
	h.primary = fmt.Sprintf("127.0.0.1:%d", port)
	h.direct = fmt.Sprintf("postgres://sallyport:%s@%s/sallyport?sslmode=verify-ca&sslrootcert=%s", everyPassword, h.primary, h.file("ca.crt"))
	h.write("userlist.txt", h.render("userlist.txt", map[string]string{"PASSWORD": everyPassword}))
	ini := h.write("pgbouncer.ini", h.render("pgbouncer.ini", map[string]string{"port=5000": fmt.Sprintf("port=%d", port),
		"/var/run/pgbouncer": h.dir, "/etc/pgbouncer": h.dir}))
	h.run("pgbouncer", nil, "pgbouncer", ini)
	h.pooled = fmt.Sprintf("postgres://sallyport:%s@/sallyport?host=%s&port=6432", everyPassword, h.dir)
}

// create creates the role and the database as docs/reliability.md says.
func (h *ha) create() {
	h.t.Helper()
	superuser := strings.Replace(strings.Replace(h.direct, "//sallyport:", "//postgres:", 1), "/sallyport?", "/postgres?", 1)
	// It believes that every machine is the primary until it has checked each twice.
	since := time.Now()
	soon(h.t, "HAProxy leads to the primary alone", 30*time.Second, func() bool {
		if !connects(superuser) {
			since = time.Now()
		}
		return time.Since(since) > 3*time.Second
	})
	sql(h.t, superuser, "CREATE ROLE sallyport LOGIN PASSWORD '"+everyPassword+"'", "ALTER ROLE sallyport SET statement_timeout = '3s'",
		"ALTER ROLE sallyport SET lock_timeout = '1s'", "ALTER ROLE sallyport SET idle_in_transaction_session_timeout = '5s'",
		"CREATE DATABASE sallyport OWNER sallyport ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
	soon(h.t, "PgBouncer leads to the primary", 20*time.Second, func() bool { return connects(h.pooled) })
}
