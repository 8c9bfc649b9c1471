package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smartStage is a server behind a proxy, with a file of countries and an application that asks for a
// second factor when something is new.
type smartStage struct {
	*stage
	countries string // file
}

func newSmartStage(t *testing.T) *smartStage {
	t.Helper()
	dir := t.TempDir()
	s := &smartStage{countries: filepath.Join(dir, "countries.csv")}
	writeFile(t, s.countries, "192.0.2.0/24,DE\n203.0.113.0/24,DE\n")
	s.stage = setStageWith(t, dir, "sqlite:"+filepath.Join(dir, "sallyport.db"), func(s *stage) string {
		return strings.Replace(s.state(5, 0), "clients:\n", "clients:\n"+
			"  - {client_id: smart, public: true, mfa: SMART, redirect_uris: [\""+webRedirect+"/smart\"], grant_types: [authorization_code], scopes: [openid, profile, email]}\n", 1)
	})
	writeFile(t, s.config, readFile(t, s.config)+fmt.Sprintf("trusted_proxies: [127.0.0.1]\ncountry_file: %q\n", s.countries))
	s.serve(t)
	return s
}

// replace replaces the file of countries as a whole.
func (s *smartStage) replace(t *testing.T, text string) {
	t.Helper()
	writeFile(t, s.countries+".new", text)
	if err := os.Rename(s.countries+".new", s.countries); err != nil {
		t.Fatal(err)
	}
}

// awaitLog waits until the server has logged a message about the file so many times.
func (s *smartStage) awaitLog(t *testing.T, message string, times int) {
	t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		n := 0
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, `"msg":"`+message) && strings.Contains(line, `"setting":"country_file"`) {
				n++
			}
		}
		if n == times {
			return
		}
		select {
		case <-late:
			t.Fatalf("logged %q %d times, want %d:\n%s", message, n, times, s.log)
		case <-tick.C:
		}
	}
}

// visitor is a user in one browser.
type visitor struct {
	*smartStage
	*person
	user user
}

func (s *smartStage) visitor(t *testing.T) *visitor {
	return &visitor{s, newPerson(t, s.issuer), s.user(t, true)}
}

// from makes the following requests come from an address.
func (v *visitor) from(address string) *visitor {
	v.browser.Header.Set("X-Forwarded-For", address)
	return v
}

// signsIn signs in, and out again. It checks whether a code is asked for, and what the operator is
// told was new.
func (v *visitor) signsIn(t *testing.T, asks bool, news string) {
	t.Helper()
	a := newParty(t, v.stage, "smart", webRedirect+"/smart", "")
	v.open(a.start())
	v.signIn(v.user)
	v.finishes(t, a, asks, news)
}

func (v *visitor) finishes(t *testing.T, a *party, asks bool, news string) {
	t.Helper()
	level := "aal1"
	if asks {
		level = "aal2"
		v.at("/mfa").submit("mfa-submit", "passcode", v.totp(v.user.totp))
	}
	if _, _, c := a.tokens(v.person); c.ACR != level {
		t.Errorf("acr = %s, want %s", c.ACR, level)
	}
	var e line
	if err := json.Unmarshal([]byte(v.command(t, "events", "--config", v.config, "--json", "--kind", "login.finished", "--limit", "1")), &e); err != nil {
		t.Fatal(err)
	}
	told := v.command(t, "explain", "--config", v.config, e.Correlation)
	if want := " New about it: " + strings.ReplaceAll(news, ",", ", ") + "."; e.Detail["new"] != news || !strings.Contains(told, want) {
		t.Errorf("the event says %q, want %q, and explain:\n%s", e.Detail["new"], news, told)
	}
	v.open(v.issuer + "/logout").submit("logout-confirm")
}

// TestWhatIsNewAboutALogin signs users in from known and new browsers, networks and countries, while
// the operator replaces the file of countries.
func TestWhatIsNewAboutALogin(t *testing.T) {
	t.Parallel()
	s := newSmartStage(t)

	commuter := s.visitor(t).from("192.0.2.10")
	commuter.signsIn(t, true, "device,user")
	commuter.from("192.0.2.200").signsIn(t, false, "nothing") // the same network
	commuter.from("203.0.113.5").signsIn(t, true, "network")  // in the same country
	commuter.from("192.0.2.10").signsIn(t, false, "nothing")

	forgetful := s.visitor(t).from("192.0.2.10")
	forgetful.signsIn(t, true, "device,user")
	a := newParty(t, s.stage, "smart", webRedirect+"/smart", "")
	forgetful.open(a.start()).submit("login-submit", "username", forgetful.user.name, "password", "not the password")
	forgetful.at("/login").signIn(forgetful.user)
	forgetful.finishes(t, a, true, "failures")
	forgetful.signsIn(t, false, "nothing")

	traveller, other := s.visitor(t).from("192.0.2.10"), s.visitor(t).from("192.0.2.10")
	traveller.signsIn(t, true, "device,user")
	other.signsIn(t, true, "device,user")
	s.replace(t, "192.0.2.0/24,DE\n203.0.113.0/24,DE\n198.51.100.0/24,FR\n")
	s.awaitLog(t, "read again", 1)
	traveller.from("198.51.100.7").signsIn(t, true, "network,country")
	traveller.signsIn(t, false, "nothing")

	s.replace(t, "198.51.100.0/24,DE\nnonsense\n")
	s.awaitLog(t, "not read again; what was read before stays in use", 1)
	other.from("198.51.100.8").signsIn(t, true, "network,country") // still FR

	s.replace(t, "192.0.2.0/24,DE\n203.0.113.0/24,AT\n198.51.100.0/24,FR\n")
	s.awaitLog(t, "read again", 2)
	if err := s.server.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "read again", 3) // unchanged, so by the hangup
}
