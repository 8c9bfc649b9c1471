package faults

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/e2e/play"
	"sallyport/storage/storagetest"
)

// ledger is what the server acknowledged with 200 before the kill and must hold after it.
type ledger struct {
	mu        sync.Mutex
	active    []string     // access tokens issued and not revoked
	dead      []string     // revoked access tokens
	redeemed  []string     // redeemed codes
	rotated   []string     // rotated refresh tokens
	enrolled  []enrolled   // authenticator apps
	recovered []usedByUser // used recovery codes
	steps     []usedByUser // used passcodes
}

type enrolled struct {
	user play.User // with the confirmed secret
	code string    // that confirmed it
}

type usedByUser struct {
	user play.User
	code string
}

func (l *ledger) add(do func(*ledger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do(l)
}

// full reports whether every list has an entry.
func (l *ledger) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.active) > 0 && len(l.dead) > 0 && len(l.redeemed) > 0 && len(l.rotated) > 0 && len(l.enrolled) > 0 && len(l.recovered) > 0 && len(l.steps) > 0
}

// facts counts what is in it.
func (l *ledger) facts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.active) + len(l.dead) + len(l.redeemed) + len(l.rotated) + 2*len(l.enrolled) + len(l.recovered) + len(l.steps)
}

// crowd signs in, renews, revokes and enrols until the server is killed.
type crowd struct {
	cluster *cluster
	ledger  *ledger
	over    atomic.Bool
	all     sync.WaitGroup
	wrong   atomic.Pointer[error]
	taken   map[bool]int
	patient bool         // 503 is a response like another: whoever gets it begins again
	refused atomic.Int64 // such responses
}

func gather(n *cluster, l *ledger) *crowd {
	c := &crowd{cluster: n, ledger: l, taken: map[bool]int{}}
	c.gather(n.user(false))
	return c
}

func (c *crowd) gather(plain play.User) {
	n := c.cluster
	for _, operation := range []func(*caller) error{
		func(x *caller) error { return c.renew(x, plain) }, func(x *caller) error { return c.renew(x, plain) }, func(x *caller) error { return c.machine(x) },
		func(x *caller) error { return c.enrol(x) }, func(x *caller) error { return c.second(x) },
	} {
		c.all.Go(func() {
			for !c.over.Load() {
				err := operation(n.caller(n.servers[0]))
				switch {
				case errors.Is(err, errNoUsers):
					return
				case c.patient && codeOf(err) == http.StatusServiceUnavailable:
					c.refused.Add(1)
				case codeOf(err) != 0: // every refusal here is wrong
					c.wrong.CompareAndSwap(nil, &err)
					return
				case err != nil:
					return // the server was killed
				}
			}
		})
	}
}

// end ends the load.
func (c *crowd) end(t *testing.T) {
	t.Helper()
	c.over.Store(true)
	c.all.Wait()
	if wrong := c.wrong.Load(); wrong != nil {
		t.Errorf("refused: %v", *wrong)
	}
}

var errNoUsers = errors.New("no users are left")

// share is the number of users of each kind for one round: the long form has many rounds.
func share() int { return pick(10, 2) }

// take returns an unused user, or errNoUsers.
func (c *crowd) take(withTOTP bool) (play.User, error) {
	c.cluster.mu.Lock()
	defer c.cluster.mu.Unlock()
	list := c.cluster.free[withTOTP]
	if c.taken[withTOTP]++; len(list) == 0 || c.taken[withTOTP] > share() {
		return play.User{}, errNoUsers
	}
	c.cluster.free[withTOTP] = list[1:]
	return list[0], nil
}

func (c *crowd) renew(x *caller, u play.User) error {
	code, err := x.login("app", u)
	if err != nil {
		return err
	}
	tokens, err := x.redeem("app", code)
	if err != nil {
		return err
	}
	access, refresh := tokens.get("access_token"), tokens.get("refresh_token")
	c.ledger.add(func(l *ledger) { l.redeemed, l.active = append(l.redeemed, code), append(l.active, access) })
	for range 2 {
		next, err := x.refresh("app", refresh)
		if err != nil {
			return err
		}
		c.ledger.add(func(l *ledger) {
			l.rotated, l.active = append(l.rotated, refresh), append(l.active, next.get("access_token"))
		})
		refresh = next.get("refresh_token")
	}
	return nil
}

func (c *crowd) machine(x *caller) error {
	tokens, err := x.form("/token", "machine", url.Values{"grant_type": {"client_credentials"}, "scope": {"reports"}})
	if err != nil {
		return err
	}
	access := tokens.get("access_token")
	if _, err := x.form("/revoke", "machine", url.Values{"token": {access}}); err != nil {
		return err
	}
	c.ledger.add(func(l *ledger) { l.dead = append(l.dead, access) })
	return nil
}

func (c *crowd) enrol(x *caller) error {
	u, err := c.take(false)
	if err != nil {
		return err
	}
	if _, err := x.password("vault", u); err != nil {
		return err
	}
	r, err := x.step("/enroll", "method", "totp")
	if err != nil {
		return err
	}
	began, _ := r.body["enrollment"].(map[string]any)
	u.TOTP, _ = began["secret"].(string)
	code := passcode(u, 0)
	if _, err := x.step("/enroll/confirm", "exchange_id", began["exchange_id"], "passcode", code); err != nil {
		return err
	}
	c.ledger.add(func(l *ledger) { l.enrolled = append(l.enrolled, enrolled{u, code}) })
	return nil
}

// second finishes a login with a passcode and another with a recovery code.
func (c *crowd) second(x *caller) error {
	u, err := c.take(true)
	if err != nil {
		return err
	}
	code := passcode(u, 0)
	if _, err := x.login("vault", u, "totp", code); err != nil {
		return err
	}
	c.ledger.add(func(l *ledger) { l.steps = append(l.steps, usedByUser{u, code}) })
	if _, err := x.login("vault", u, "recovery", u.RecoveryCodes()[0]); err != nil {
		return err
	}
	c.ledger.add(func(l *ledger) { l.recovered = append(l.recovered, usedByUser{u, u.RecoveryCodes()[0]}) })
	return nil
}

// check checks everything acknowledged. Refusals come last: the reuse of a code or a
// refresh token ends its grant. It returns their number.
func (l *ledger) check(t *testing.T, n *cluster) int {
	t.Helper()
	c := n.caller(n.servers[0])
	count := 0
	is := func(what string, ok bool, err error) {
		t.Helper()
		if count++; !ok || err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, token := range l.active {
		ok, err := c.active("app", token)
		is("an access token that was given out is active", ok, err)
	}
	for _, token := range l.dead {
		ok, err := c.active("machine", token)
		is("a revoked token is dead", !ok, err)
	}
	for _, e := range l.enrolled {
		_, err := n.caller(n.servers[0]).login("vault", e.user, "totp", e.code)
		is("the passcode of an enrolment stays used", codeOf(err) == 422, nil)
		_, err = n.caller(n.servers[0]).login("vault", e.user, "totp", passcode(e.user, 1))
		is("an enrolled app opens", err == nil, err)
	}
	for _, u := range append(l.recovered, l.steps...) {
		method := "totp"
		if len(u.code) > 8 {
			method = "recovery"
		}
		_, err := n.caller(n.servers[0]).login("vault", u.user, method, u.code)
		is("a "+method+" code stays used", codeOf(err) == 422, nil)
	}
	for _, token := range l.rotated {
		_, err := c.refresh("app", token)
		is("a refresh token stays used", codeOf(err) == 400, nil)
	}
	for _, code := range l.redeemed {
		_, err := c.redeem("app", code)
		is("a code stays used", codeOf(err) == 400, nil)
	}
	note(t, "R-1", fmt.Sprintf("facts that held: %d tokens, %d enrolments, %d steps, %d recovery codes", len(l.active)+len(l.dead), len(l.enrolled), len(l.steps), len(l.recovered)), count, "all")
	return count
}

// TestKill is R-1: the process is killed under load, and nothing it acknowledged is lost.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			dsn := "sqlite:" + filepath.Join(t.TempDir(), "sallyport.db")
			if engine == "postgres" {
				dsn = storagetest.Postgres(t)
			}
			const rounds = 50 // of the long form
			n := newCluster(t, plan{dsn: dsn, users: pick(14, rounds*(share()+1)+4)})
			s, facts, slowest := n.servers[0], 0, time.Duration(0)
			for round := range pick(1, rounds) {
				l := &ledger{}
				c := gather(n, l)
				<-time.After(pick(1500*time.Millisecond, time.Second) + time.Duration(round)*13*time.Millisecond)
				soon(t, "enough was acknowledged", time.Minute, func() bool { return l.facts() >= pick(1, 210) || c.wrong.Load() != nil })
				soon(t, "something of everything was acknowledged", time.Minute, l.full)
				s.kill()
				c.end(t)
				began := time.Now()
				s.start()
				s.await()
				slowest = max(slowest, time.Since(began))
				facts += l.check(t, n)
				if round == 0 && engine == "postgres" {
					signedIn(t, n)
				}
			}
			note(t, "R-1", "facts that held after kill -9 on "+engine, facts, "all")
			within(t, "R-1", "longest until ready again after kill -9 on "+engine, slowest, 2*time.Second)
		})
	}
}
