package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestDevServer starts the development server in an empty folder, runs its demo in
// Chromium, and checks that a restart keeps everything.
func TestDevServer(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "dev")
	first := startDev(t, folder)
	var secrets struct{ Alice, Bob struct{ Password string } }
	text, err := os.ReadFile(filepath.Join(folder, "secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &secrets); err != nil {
		t.Fatal(err)
	}
	type person struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	written, err := json.Marshal(map[string]any{"issuer": first.issuer, "demo": first.demo,
		"outbox": filepath.Join(folder, "outbox.jsonl"),
		"alice":  person{"alice", secrets.Alice.Password}, "bob": person{"bob", secrets.Bob.Password}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stage.json")
	writeFile(t, file, string(written))
	runNode(t, installed(t, "node"), "dev.test.mjs", "SALLYPORT_STAGE="+file, "SALLYPORT_CHROMIUM="+installed(t, "chromium", "chromium-browser", "google-chrome"))
	first.stop(t)

	again := startDev(t, folder)
	defer again.stop(t)
	if after, err := os.ReadFile(filepath.Join(folder, "secrets.json")); err != nil || string(after) != string(text) {
		t.Errorf("the restart changed the passwords: %v", err)
	}
	// bob enrolled an authenticator before the restart: the bank requires it now.
	s := &stage{issuer: again.issuer, log: again.log}
	a := newParty(t, s, "bank", again.demo+"/callback", "")
	newPerson(t, again.issuer).open(a.start()).signIn(user{name: "bob", password: secrets.Bob.Password}).at("/mfa")
}

type devServer struct {
	issuer, demo string
	process      *exec.Cmd
	log          *lines
}

func startDev(t *testing.T, folder string) devServer {
	t.Helper()
	port := freePort(t)
	d := devServer{issuer: fmt.Sprintf("http://localhost:%d", port), demo: fmt.Sprintf("http://localhost:%d", port+1), log: &lines{}}
	d.process = exec.Command(program, "dev", "--data", folder, "--port", fmt.Sprint(port))
	d.process.Stdout, d.process.Stderr = d.log, d.log
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.process.Process.Kill() })
	(&stage{issuer: d.issuer, log: d.log}).await(t)
	return d
}

func (d devServer) stop(t *testing.T) {
	t.Helper()
	_ = d.process.Process.Signal(syscall.SIGTERM)
	if err := d.process.Wait(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, d.log)
	}
}
