package bench

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"sallyport/cmd/sallyport/secretfile"
	"sallyport/e2e/load"
	"sallyport/storage/seal"
)

const (
	postgreSQL = "PostgreSQL"
	sqlite     = "SQLite"
)

// target is a running server process with its database.
type target struct {
	addr     string
	usage    string    // URL of usagePage
	profiles string    // URL of profiles
	database *postgres // nil: SQLite, whose work is the server's own
	logFile  string
	people   *people
	peak     float64 // logins per second; 0: not measured yet
	stop     func()
}

// start runs a server process on a new database.
func start(tb testing.TB, database string, job serverJob, settings ...string) *target {
	tb.Helper()
	dir := tb.TempDir()
	if database != postgreSQL {
		return launch(tb, dir, "sqlite:"+filepath.Join(dir, "sallyport.db"), job)
	}
	p := newPostgres(tb, settings...)
	t := launch(tb, dir, p.address, job)
	t.database = p
	return t
}

// launch runs a server process on a database; its files go into a folder.
func launch(tb testing.TB, dir, dsn string, job serverJob) *target {
	tb.Helper()
	public, usage := load.FreeAddress(tb), load.FreeAddress(tb)
	t := &target{addr: public, usage: "http://" + usage + "/usage", profiles: "http://" + usage + "/debug/pprof/",
		logFile: filepath.Join(dir, "log"), people: newPeople(job.Users)}
	job.Settings, job.Usage = filepath.Join(dir, "sallyport.yaml"), usage
	keys := filepath.Join(dir, "keys")
	if err := secretfile.Write(keys, seal.NewKeyFile(rand.Reader)); err != nil {
		tb.Fatal(err)
	}
	text := fmt.Sprintf("issuer: http://%s\nenvironment: test\nlisten: %s\nkey_file: %s\ndatabase:\n  dsn: %q\n", public, public, keys, dsn)
	if err := os.WriteFile(job.Settings, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	t.stop = spawn(tb, job, t.logFile)
	tb.Cleanup(t.stop)
	if os.Getenv("SALLYPORT_BENCH_VERBOSE") != "" {
		fmt.Fprintln(os.Stderr, "server at", public, "profiles at", t.profiles)
	}
	return t
}

// spawn starts this binary as a server, whose log goes into a file as it would in
// production, and waits until it is ready.
func spawn(tb testing.TB, job serverJob, logFile string) (stop func()) {
	tb.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		tb.Fatal(err)
	}
	log, err := os.Create(logFile)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SALLYPORT_BENCH_SERVER="+string(text))
	c.Stderr = log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	stop = sync.OnceFunc(func() { _ = c.Process.Signal(syscall.SIGTERM); _ = c.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		stop()
		said, _ := os.ReadFile(logFile)
		tb.Fatalf("server: %q, %v\n%s", line, err, said)
	}
	return stop
}

// log returns the end of the server's log.
func (t *target) log() string {
	text, _ := os.ReadFile(t.logFile)
	return string(text[max(0, len(text)-2000):])
}

// used is what server and database have used.
type used struct {
	serverUsage
	database databaseUsage
}

func (t *target) used() (used, error) {
	var u used
	r, err := http.Get(t.usage)
	if err != nil {
		return u, err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&u.serverUsage); err != nil {
		return u, err
	}
	if t.database != nil {
		u.database, err = t.database.used()
	}
	return u, err
}
