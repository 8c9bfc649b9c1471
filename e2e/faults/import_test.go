package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/e2e/play"
	"sallyport/storage/storagetest"
)

// TestImportIsKilled kills an import of users three times. What is imported in the end are all
// users of the file, each once, and the lines that are refused are said once.
func TestImportIsKilled(t *testing.T) {
	t.Parallel()
	n := newCluster(t, plan{dsn: storagetest.Postgres(t), users: 1})
	users := pick(3000, 1_000_000)
	file := n.file("import.jsonl")
	writeUsers(t, file, users)
	args := []string{"user", "import", "--config", n.servers[0].config, file}
	for range 3 {
		before := offsetOf(t, file)
		c := exec.Command(program, args...)
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		soon(t, "the import gets further", 20*time.Minute, func() bool { return offsetOf(t, file) > before })
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	// The peak that the system reports of an ended process has that of its parent in it, from before exec.
	c, out, peak := exec.Command(program, args...), &strings.Builder{}, 0
	c.Env = append(os.Environ(), "GOGC=100") // the default: CI collects garbage less often
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	soon(t, "the import ends", 20*time.Minute, func() bool {
		now := memoryOf(t, c.Process.Pid)
		peak = max(peak, now)
		return now == 0
	})
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), fmt.Sprintf("created %d users, refused 2 lines", users)) {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	if peak == 0 || peak > 128 {
		t.Errorf("the import took %d MiB", peak)
	}
	note(t, "R-9", fmt.Sprintf("import of %d users, killed three times: memory, MiB", users), peak, 128)
	if refused, err := os.ReadFile(file + ".refused"); err != nil || strings.Count(string(refused), "\n") != 2 {
		t.Errorf("refused lines, %v:\n%s", err, refused)
	}
	// The cluster has two users of its own.
	if got := strings.TrimSpace(query(t, n.dsn, "SELECT (SELECT COUNT(*) FROM users) - 2 || ' ' || (SELECT COUNT(*) FROM identifiers WHERE value LIKE 'moved%')")); got != fmt.Sprintf("%d %d", users, users) {
		t.Errorf("users and their names: %s, want %d of each", got, users)
	}
	again, err := exec.Command(program, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(again), fmt.Sprintf("created %d users", users)) {
		t.Errorf("a run after the end: %v\n%s", err, again)
	}
	u := play.User{Name: fmt.Sprintf("moved%07d", users-1), Password: play.NewUser("moved", false).Password}
	if _, err := n.caller(n.servers[0]).login("app", u); err == nil {
		t.Error("signed in with a password that was not imported")
	}
}

// writeUsers writes users, and two lines that are refused: no JSON, and a name that is taken.
func writeUsers(t *testing.T, file string, users int) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for i := range users {
		fmt.Fprintf(w, `{"username": "moved%07d", "password_hash": "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "profile": {"name": "Moved \ud83d\ude00"}}`+"\n", i)
		if i == users/2 {
			fmt.Fprintf(w, "not JSON\n\n{\"username\": \"moved%07d\"}\n", 3)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// offsetOf returns how far an import got.
func offsetOf(t *testing.T, file string) int64 {
	t.Helper()
	text, err := os.ReadFile(file + ".progress")
	if err != nil {
		return 0
	}
	var at struct{ Offset int64 }
	if err := json.Unmarshal(text, &at); err != nil {
		t.Fatal(err)
	}
	return at.Offset
}
