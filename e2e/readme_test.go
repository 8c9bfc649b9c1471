package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readme is README.md with other ports, so that its snippets can run beside other servers.
type readme struct {
	dir        string // in which the snippets run
	issuer     string
	demo, shop string
	notes      string
	tour       []string            // its numbered steps
	snippets   map[string][]string // by language, in order
	env        []string
	log        *lines
}

func newReadme(t *testing.T) *readme {
	t.Helper()
	port, web, page := freePort(t), freePort(t), freePort(t)
	at := func(port int) string { return fmt.Sprintf("http://localhost:%d", port) }
	r := &readme{dir: t.TempDir(), issuer: at(port), demo: at(port + 1), shop: at(web), notes: at(page), snippets: map[string][]string{}, log: &lines{}}
	text := strings.NewReplacer("localhost:8080", r.issuer[len("http://"):], "localhost:8081", r.demo[len("http://"):],
		"localhost:3000", r.shop[len("http://"):], "localhost:5173", r.notes[len("http://"):]).Replace(readFile(t, "../README.md"))
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```").FindAllStringSubmatch(text, -1) {
		r.snippets[m[1]] = append(r.snippets[m[1]], m[2])
	}
	if len(r.snippets) != 3 || len(r.snippets["sh"]) != 4 || len(r.snippets["go"]) != 1 || len(r.snippets["js"]) != 1 {
		t.Fatalf("README.md has snippets without a test, or lost some: %q", r.snippets)
	}
	for _, m := range regexp.MustCompile(`(?m)^[0-9]\. (.*)$`).FindAllStringSubmatch(text, -1) {
		r.tour = append(r.tour, strings.NewReplacer("<", "", ">", "").Replace(m[1]))
	}
	r.env = append(os.Environ(), "PROGRAM="+program, fmt.Sprintf("DEV_PORT=%d", port), fmt.Sprintf("SALLYPORT_LISTEN=127.0.0.1:%d", port),
		fmt.Sprintf("SALLYPORT_ADMIN_LISTEN=127.0.0.1:%d", port+2))
	return r
}

// builder makes "go run ./cmd/sallyport" and "make build" use the program that these tests
// are built with, and dev another port.
const builder = `set -euo pipefail
go() {
  [ "$1 $2" = "run ./cmd/sallyport" ]
  shift 2
  if [ "$1" = dev ]; then exec "$PROGRAM" "$@" --port "$DEV_PORT"; fi
  "$PROGRAM" "$@"
}
make() {
  [ "$*" = build ]
  mkdir bin
  cp "$PROGRAM" bin/sallyport
}
`

// shell returns a shell that runs a snippet.
func (r *readme) shell(snippet int) *exec.Cmd {
	c := exec.Command("bash", "-c", builder+r.snippets["sh"][snippet])
	c.Dir, c.Env = r.dir, r.env
	return c
}

// start runs a snippet that ends with a server, until the test ends.
func (r *readme) start(t *testing.T, c *exec.Cmd, url string) {
	t.Helper()
	c.Stdout, c.Stderr = r.log, r.log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the shell and the server
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		<-ended
	})
	tick, end := time.NewTicker(50*time.Millisecond), time.After(60*time.Second)
	defer tick.Stop()
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for {
		if a, err := stay.Get(url); err == nil {
			a.Body.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it ended with %v:\n%s", err, r.log)
		case <-end:
			t.Fatalf("%s does not respond:\n%s", url, r.log)
		case <-tick.C:
		}
	}
}

// serviceGetsAToken runs the snippet of a service without users.
func (r *readme) serviceGetsAToken(t *testing.T) {
	t.Helper()
	out, err := r.shell(1).Output()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err != nil || json.Unmarshal(out, &token) != nil || token.AccessToken == "" {
		t.Errorf("the service got %s, %v, want a token", out, err)
	}
}

// goProgram compiles the Go snippet in a module of its own, with the versions of go.mod.
func (r *readme) goProgram(t *testing.T) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "main.go"), r.snippets["go"][0])
	writeFile(t, filepath.Join(dir, "go.mod"), strings.Replace(readFile(t, "../go.mod"), "module sallyport", "module shop", 1))
	writeFile(t, filepath.Join(dir, "go.sum"), readFile(t, "../go.sum"))
	build := exec.Command("go", "build", "-o", "shop", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the web application: %v\n%s", err, out)
	}
	c := exec.Command(filepath.Join(dir, "shop"))
	c.Env = append(os.Environ(), "SHOP_SECRET="+strings.TrimSpace(readFile(t, filepath.Join(r.dir, "shop.secret"))))
	return c
}

// TestReadmeWorksAsPrinted runs the snippets of README.md for a reader's own clients, and the
// tour, on the development server that they start.
func TestReadmeWorksAsPrinted(t *testing.T) {
	t.Parallel()
	r := newReadme(t)
	r.start(t, r.shell(0), r.issuer)
	greeting := r.log.String()
	r.greetingFits(t, greeting)
	r.serviceGetsAToken(t)
	r.filesAreIgnored(t)
	r.start(t, r.goProgram(t), r.shop)
	var secrets map[string]struct{ Password string }
	text := readFile(t, filepath.Join(r.dir, ".sallyport-dev", "secrets.json"))
	_ = json.Unmarshal([]byte(text), &secrets) // the secrets of clients are not objects
	stage, err := json.Marshal(map[string]any{"issuer": r.issuer, "demo": r.demo, "shop": r.shop, "notes": r.notes, "page": r.snippets["js"][0],
		"tour": r.tour, "alice": map[string]string{"username": "alice", "password": secrets["Alice"].Password},
		"bob": map[string]string{"username": "bob", "password": secrets["Bob"].Password}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stage.json")
	writeFile(t, file, string(stage))
	runNode(t, "readme.test.mjs", "SALLYPORT_STAGE="+file)
}

// greetingFits checks what dev prints for the clients of README.md.
func (r *readme) greetingFits(t *testing.T, greeting string) {
	t.Helper()
	if n := strings.Count(greeting, "\n"); n > 24 {
		t.Errorf("the greeting has %d lines, want at most 24:\n%s", n, greeting)
	}
	for line := range strings.Lines(greeting) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("a line of the greeting has %d columns, want at most 80: %s", n, line)
		}
	}
	for _, want := range append([]string{"From --state   shop, notes\n", r.issuer + "/account\n", "--details"}, r.tour...) {
		if !strings.Contains(greeting, want) {
			t.Errorf("the greeting lacks %q:\n%s", want, greeting)
		}
	}
	if len(r.tour) != 5 {
		t.Errorf("README.md has the tour %q, want five steps", r.tour)
	}
}

// filesAreIgnored checks that neither a commit nor an image takes in the files with secrets
// that the snippets have created.
func (r *readme) filesAreIgnored(t *testing.T) {
	t.Helper()
	created, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"../.gitignore", "../.dockerignore"} {
		lines := strings.Split(readFile(t, list), "\n")
		for _, f := range created {
			matches := func(line string) bool {
				ok, err := filepath.Match(strings.Trim(line, "/"), f.Name())
				return ok && err == nil
			}
			if !slices.ContainsFunc(lines, matches) {
				t.Errorf("%s lacks %s", list, f.Name())
			}
		}
	}
}

// TestReadmeRunsAServer runs the commands of "Run it", and signs in the user they create.
func TestReadmeRunsAServer(t *testing.T) {
	t.Parallel()
	r := newReadme(t)
	register, _, _ := strings.Cut(r.snippets["sh"][0], "go run ./cmd/sallyport dev")
	r.snippets["sh"][0] = register
	if out, err := r.shell(0).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.start(t, r.shell(2), r.issuer)
	r.serviceGetsAToken(t)
	r.filesAreIgnored(t)
	s := &stage{issuer: r.issuer, log: r.log}
	a := newParty(t, s, "notes", r.notes+"/callback", "")
	a.tokens(newPerson(t, r.issuer).open(a.start()).signIn(user{name: "alice", password: "correct horse battery staple"}))
	if want := "deploy/secrets\ndocker compose up --detach --wait\n"; r.snippets["sh"][3] != want {
		t.Errorf("the containers start with %q, want %q, as in docker-compose.yml", r.snippets["sh"][3], want)
	}
	newPerson(t, r.issuer).open(r.issuer + "/account").at("/login")
}
