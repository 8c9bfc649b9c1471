package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startOwn starts `sallyport dev` in a new folder and returns it with the users'
// passwords.
func startOwn(t *testing.T) (devServer, map[string]string) {
	t.Helper()
	d := startDev(t, filepath.Join(t.TempDir(), "dev"))
	t.Cleanup(func() { d.stop(t) })
	r, err := http.Get(d.demo + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var settings struct {
		People []struct{ Name, Password string }
	}
	if err := json.NewDecoder(r.Body).Decode(&settings); err != nil {
		t.Fatal(err)
	}
	passwords := map[string]string{}
	for _, p := range settings.People {
		passwords[p.Name] = p.Password
	}
	return d, passwords
}

// TestOwnLoginPageInChromium runs the sample with its own login page.
func TestOwnLoginPageInChromium(t *testing.T) {
	t.Parallel()
	d, _ := startOwn(t)
	text, err := json.Marshal(map[string]string{"issuer": d.issuer, "demo": d.demo})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stage.json")
	writeFile(t, file, string(text))
	runNode(t, "own.test.mjs", "SALLYPORT_STAGE="+file)
}

// TestNativeSample runs the command line sample: in the terminal, and with the
// browser of a user of the stage.
func TestNativeSample(t *testing.T) {
	t.Parallel()
	d, passwords := startOwn(t)
	native := filepath.Join(t.TempDir(), "native")
	if out, err := exec.Command("go", "build", "-o", native, "sallyport/e2e/samples/native").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Run("in the terminal", func(t *testing.T) {
		run := exec.Command(native, "-terminal", "-issuer", d.issuer, "-redirect", d.demo+"/own-login/")
		run.Stdin = strings.NewReader("bob\nwrong\nbob\n" + passwords["bob"] + "\n")
		out, err := run.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "password is wrong") || !strings.Contains(string(out), "Hello, Bob Brandt <bob@example.com>: aal1, pwd") {
			t.Errorf("native: %v\n%s", err, out)
		}
	})
	t.Run("in the browser", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		run := exec.CommandContext(ctx, native, "-issuer", d.issuer)
		pipe, err := run.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		var output strings.Builder
		for in := bufio.NewScanner(pipe); in.Scan(); output.WriteString(in.Text() + "\n") {
			if !strings.HasPrefix(in.Text(), d.issuer+"/authorize?") {
				continue
			}
			p := newPerson(t, d.issuer).open(in.Text()).signIn(user{name: "bob", password: passwords["bob"]})
			if r, err := http.Get(p.arrived.String()); err != nil || r.StatusCode != http.StatusOK {
				t.Errorf("callback: %v %v", r, err)
			}
		}
		if err := run.Wait(); err != nil || !strings.Contains(output.String(), "Hello, Bob Brandt") {
			t.Errorf("native: %v\n%s", err, &output)
		}
	})
}
