package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// kiosk returns an authorization request of a passwordless client, by a caller with the
// verifier.
func kiosk() []string {
	return []string{"client_id", "kiosk", "redirect_uri", "http://127.0.0.1:9/kiosk", "response_type", "code", "scope", "openid", "state", random(8),
		"code_challenge", random(22)[:43], "code_challenge_method", "S256"}
}

// attacker makes calls without cookies, each from another address.
type attacker struct {
	*caller
	calls int
}

func newAttacker(t *testing.T, s *stage) *attacker {
	t.Helper()
	c := newCaller(t, s.issuer)
	c.http.Jar = nil
	return &attacker{caller: c}
}

func (a *attacker) ask(path string, pairs ...string) reply {
	a.t.Helper()
	a.calls++
	a.header.Set("X-Forwarded-For", fmt.Sprintf("10.9.%d.%d", a.calls>>8&255, a.calls&255))
	return a.json(path, pairs...)
}

func (a *attacker) open() string {
	a.t.Helper()
	return a.ask("/api/login/v1/requests", kiosk()...).is(a.t, http.StatusOK).at(a.t, "request_id")
}

const (
	listPath     = "/verification-srv/v2/setup/public/configured/list"
	initiatePath = "/verification-srv/v2/authenticate/initiate/totp"
	verifyPath   = "/verification-srv/v2/authenticate/authenticate/totp"
)

// shown returns everything a login shows for a name before the first factor.
func (a *attacker) shown(id, name string) []reply {
	a.t.Helper()
	return []reply{
		a.ask(listPath, "request_id", id, "identifier", name),
		a.ask("/verification-srv/public/graph/user/setup", "request_id", id, "identifier", name),
		a.ask("/api/login/v1/identify", "request_id", id, "identifier", name),
		a.ask(initiatePath, "request_id", id, "identifier", name, "usage_type", "PASSWORDLESS_AUTHENTICATION"),
		a.ask("/api/login/v1/initiate", "request_id", id, "identifier", name, "method", "totp"),
	}
}

var (
	handle  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	instant = regexp.MustCompile(`"\d{4}-[^"]*Z"|\b\d{10,}\b`)
	support = regexp.MustCompile(`\b([A-Z2-7]{4}-){3}[A-Z2-7]{4}\b`)
)

// shape returns a response without the values that always differ.
func (r reply) shape() string {
	text := support.ReplaceAllString(instant.ReplaceAllString(handle.ReplaceAllString(r.text, "ID"), "TIME"), "SUPPORT")
	return fmt.Sprint(r.code, " ", text)
}

// unknownNames returns unknown names whose list looks like that of a user with an app and
// recovery codes.
func (a *attacker) unknownNames(n int, like string) []string {
	a.t.Helper()
	want := a.ask(listPath, "request_id", a.open(), "identifier", like).is(a.t, http.StatusOK).shape()
	var out []string
	for i := 0; len(out) < n && i < 200; i++ {
		name := fmt.Sprintf("%s%d@example.com", random(4), i)
		if a.ask(listPath, "request_id", a.open(), "identifier", name).shape() == want {
			out = append(out, name)
		}
	}
	if len(out) < n {
		a.t.Fatalf("of 200 invented names %d are listed as %s", len(out), want)
	}
	return out
}

// namesAreNotLinked: in each login every name, known or unknown, has its own IDs and masked
// subject.
func namesAreNotLinked(t *testing.T, s *stage) {
	a, u := newAttacker(t, s), s.user(t, true)
	names := append([]string{u.name, u.email}, a.unknownNames(2, u.email)...)
	met := map[string]string{}
	for login := range 3 {
		id := a.open()
		var first []string
		for i, name := range names {
			var shapes []string
			here := map[string]bool{}
			for _, r := range a.shown(id, name) {
				shapes = append(shapes, r.is(t, http.StatusOK).shape())
				for _, value := range handle.FindAllString(r.text, -1) {
					here[value] = value != id
				}
			}
			if i == 0 {
				first = shapes
			}
			if !slices.Equal(shapes, first) {
				t.Errorf("%s gets\n%s\nand %s\n%s", names[0], strings.Join(first, "\n"), name, strings.Join(shapes, "\n"))
			}
			for value, own := range here {
				if before := met[value]; own && before != "" {
					t.Errorf("%s in login %d gets %s, like %s", name, login, value, before)
				}
				met[value] = fmt.Sprintf("%s in login %d", name, login)
			}
			delete(met, id)
			if len(here) < 4 {
				t.Errorf("%s gets: %v", name, here)
			}
		}
	}
	p := newPerson(t, s.issuer)
	b := newParty(t, s, "bank", bankRedirect, "")
	p.open(b.start()).signIn(u).at("/mfa").submit("mfa-submit", "passcode", p.totp(u.totp))
	b.tokens(p)
}

// guess makes one wrong attempt at a name, in a new login.
func (a *attacker) guess(kind, name, typed string) reply {
	a.t.Helper()
	id := a.open()
	if kind == "password" {
		return a.ask("/api/login/v1/password", "request_id", id, "identifier", name, "password", typed)
	}
	begun := a.ask(initiatePath, "request_id", id, "identifier", name, "usage_type", "PASSWORDLESS_AUTHENTICATION")
	if begun.code != http.StatusOK {
		return begun
	}
	return a.ask(verifyPath, "exchange_id", begun.at(a.t, "data", "exchange_id", "exchange_id"), "pass_code", typed)
}

// failuresAreNotLinked: after five failures by one name of a user that name waits, and the
// user's other name looks like a name without failures.
func failuresAreNotLinked(t *testing.T, s *stage) {
	for kind, wrong := range map[string]string{"password": "not the password", "code": "000000"} {
		a, u := newAttacker(t, s), s.user(t, true)
		p := newPerson(t, s.issuer)
		b := newParty(t, s, "spa", spaRedirect, "")
		b.tokens(p.open(b.start()).signIn(u))
		untried := a.unknownNames(1, u.email)[0]
		for range 5 {
			if r := a.guess(kind, u.name, wrong); r.code == http.StatusTooManyRequests || r.code == http.StatusOK {
				t.Fatalf("a wrong %s: %d %s", kind, r.code, r.text)
			}
		}
		if r := a.guess(kind, u.name, wrong); r.code != http.StatusTooManyRequests {
			t.Errorf("a sixth %s by one name: %d %s, want a wait", kind, r.code, r.text)
		}
		right := u.password
		if kind == "code" {
			right = p.totp(u.totp)
		}
		for try, typed := range []string{wrong, right, wrong, wrong} {
			if got, want := a.guess(kind, u.email, typed), a.guess(kind, untried, typed); got.shape() != want.shape() || got.code == http.StatusOK {
				t.Errorf("%s, attempt %d by the other name: %s, by a name without failures: %s", kind, try, got.shape(), want.shape())
			}
			id := a.open()
			ours, theirs := a.shown(id, u.email), a.shown(id, untried)
			for i := range ours {
				if ours[i].shape() != theirs[i].shape() {
					t.Errorf("%s: the other name gets %s, a name without failures %s", kind, ours[i].shape(), theirs[i].shape())
				}
			}
		}
		again := newParty(t, s, "spa", spaRedirect, "") // no wait in the owner's browser
		p.open(s.issuer + "/logout").submit("logout-confirm")
		again.tokens(p.open(again.start()).signIn(u))
	}
}

const (
	floods   = 10000
	allowed  = 20  // logins a minute and address
	mostRows = 400 // budget of a network in four minutes, longer than the flood
)

// floodOfOpens begins logins by every route, each from another /64 of one /48.
func floodOfOpens(t *testing.T, s *stage) {
	s.stop(t)
	writeFile(t, s.config, readFile(t, s.config)+fmt.Sprintf("limits: {opens: %d}\n", allowed))
	s.serve(t)
	db := s.behind(t)
	rows := func() int {
		n := 0
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM auth_requests").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	rowsBefore, linesBefore, commitsBefore := rows(), s.trail(t), s.metrics(t)["sallyport_database_commits_total"]
	query := pairsOf(kiosk()).Encode()
	var refused [16]int
	var all sync.WaitGroup
	for worker := range refused {
		all.Go(func() {
			c := newCaller(t, s.issuer)
			c.http.Jar = nil
			for i := worker; i < floods; i += len(refused) {
				c.header.Set("X-Forwarded-For", fmt.Sprintf("2001:db8:1:%x::1", i))
				r := reply{}
				switch i % 3 {
				case 0:
					r = c.do(http.MethodGet, "/authorize?"+query, "", "")
				case 1:
					r = c.json("/api/login/v1/requests", kiosk()...)
				default:
					r = c.json("/authz-srv/authrequest/authz/generate", kiosk()...)
				}
				if r.code == http.StatusTooManyRequests {
					refused[worker]++
				} else if r.code != http.StatusOK && r.code != http.StatusSeeOther {
					t.Errorf("begun login %d: %d %s", i, r.code, r.text)
				}
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range refused {
		total += n
	}
	opened := floods - total
	if opened < allowed || opened > mostRows {
		t.Errorf("%d of %d logins begun, want some and at most %d", opened, floods, mostRows)
	}
	if n := rows() - rowsBefore; n > mostRows {
		t.Errorf("%d rows, want %d at most", n, mostRows)
	}
	if n := s.metrics(t)["sallyport_logins_started_total"]; int(n) != opened {
		t.Errorf("the server counts %v begun logins, want %d", n, opened)
	}
	if n := s.metrics(t)[`sallyport_over_budget_total{budget="opens"}`]; int(n) != total {
		t.Errorf("the server counts %v refused ones, want %d", n, total)
	}
	if n := s.metrics(t)["sallyport_database_commits_total"] - commitsBefore; n > 2*mostRows {
		t.Errorf("%v commits, want %d at most", n, 2*mostRows)
	}
	if n := s.trail(t) - linesBefore; n > mostRows {
		t.Errorf("%d lines in the audit trail, want %d at most", n, mostRows)
	}
	u := s.user(t, false)
	b := newParty(t, s, "spa", spaRedirect, "")
	b.tokens(newPerson(t, s.issuer).open(b.start()).signIn(u))
}

// trail returns the number of lines in the audit trail.
func (s *stage) trail(t *testing.T) int {
	t.Helper()
	out, err := exec.Command(program, "events", "--config", s.config, "--json", "--limit", "100000").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for text := range strings.Lines(string(out)) {
		if !json.Valid([]byte(text)) {
			t.Fatalf("no event: %q", text)
		}
		n++
	}
	return n
}
