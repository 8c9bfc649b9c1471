// Package peers compares the server with other OpenID providers in one run: Dex, Ory Hydra,
// oidc-provider and Keycloak. `make peers` runs it; `make test` does not, and needs none of them.
//
// All of a run shares one machine: the server, PostgreSQL (commits are durable) and the load
// of eight connections, without TLS, with ES256 unless a flow says otherwise. A flow is measured in short slices that alternate between
// the servers, so that a machine whose speed drifts drifts for all of them; a figure is the
// median of a server's slices. Servers that are not measured are stopped (SIGSTOP). Every response is
// checked. An error voids the figure, and fails the run if it is this server's. A login is a whole one: a new
// cookie jar, a page loaded, its form posted, redirects followed, the code exchanged.
//
// Where a choice had to be made it favors the peers, who log errors only while this server logs
// as it does by default:
//
//   - Dex signs in by its mock password connector, whose password is in plain text, and the
//     second time by its own passwords (bcrypt, cost 10). It signs with RS256 only, so this
//     server does so too where they are compared.
//   - Hydra has no login of its own. Its client accepts login and consent over the admin API,
//     with no page and no password. Client secrets have the least PBKDF2 (one iteration).
//   - oidc-provider keeps everything in memory and has no passwords of its own; its login page
//     is in oidcprovider.mjs. Its access tokens are opaque where userinfo takes them.
//   - Keycloak hashes passwords with one iteration of PBKDF2, and the second time as it does by default.
//
// A peer is built or unpacked once, in a cache, at a fixed version. It needs go, npm or mvn with
// their own configuration; DEX and HYDRA (binaries), OIDC_PROVIDER (a folder with node_modules)
// and KEYCLOAK (a folder with bin/kc.sh) name others. A peer that cannot be had is reported and left out.
// PEERS chooses some ("dex,hydra"), PEERS_FLOWS flows by a regular expression, PEERS_SLICE and
// PEERS_ROUNDS set length and number of slices, PEERS_OUT is the file for the figures as JSON.
package peers

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(serverVariable); job != "" {
		if err := runServer(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The flows, in the order of the table.
const (
	discovery         = "discovery"
	clientCredentials = "client credentials, JWT"
	login             = "login to tokens"
	loginRSA          = "login to tokens, RS256"
	loginHashed       = "login, own password hash"
	hashAlone         = "this server's hash alone"
	loginTOTP         = "login with TOTP"
	refresh           = "refresh"
	refreshRSA        = "refresh, RS256"
	introspection     = "introspection"
	userinfo          = "userinfo"
)

var flows = []string{discovery, clientCredentials, login, loginRSA, loginHashed, hashAlone, loginTOTP, refresh, refreshRSA, introspection, userinfo}

// peer is a running provider.
type peer struct {
	name    string
	version string
	on      *process
	warm    time.Duration // before the first slice of a flow
	flows   map[string]flow
}

// starters start each provider. They return errMissing for one that cannot be had.
var starters = []struct {
	name  string
	start func(b *testing.B, db *database) (*peer, error)
}{
	{"sallyport", startSallyport},
	{"dex", startDex},
	{"oidc-provider", startOIDCProvider},
	{"hydra", startHydra},
	{"keycloak", startKeycloak},
}

func BenchmarkPeers(b *testing.B) {
	slice, err := time.ParseDuration(cmp.Or(os.Getenv("PEERS_SLICE"), "3s"))
	if err != nil {
		b.Fatalf("PEERS_SLICE: %v", err)
	}
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("PEERS_ROUNDS"), "3"))
	if err != nil || rounds < 1 {
		b.Fatalf("PEERS_ROUNDS: %q is no number", os.Getenv("PEERS_ROUNDS"))
	}
	pick, err := regexp.Compile(os.Getenv("PEERS_FLOWS"))
	if err != nil {
		b.Fatalf("PEERS_FLOWS: %v", err)
	}
	db := newDatabase(b)
	var running []*peer
	out := newReport(slice, rounds)
	for _, s := range starters {
		if wanted := os.Getenv("PEERS"); s.name != "sallyport" && wanted != "" && !slices.Contains(strings.Split(wanted, ","), s.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "starting", s.name)
		p, err := s.start(b, db)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", s.name, err)
			out.Missing[s.name] = err.Error()
			continue
		}
		p.name = s.name
		running = append(running, p)
		out.add(p)
	}
	for _, name := range flows {
		if pick.MatchString(name) {
			measure(b, db, out, running, name, slice, rounds)
		}
	}
	if err := out.save(cmp.Or(os.Getenv("PEERS_OUT"), "peers.json")); err != nil {
		b.Error(err)
	}
	fmt.Print(out)
}

// measure measures a flow: all servers in turn, as many times as there are rounds.
func measure(b *testing.B, db *database, out *report, running []*peer, name string, slice time.Duration, rounds int) {
	b.Helper()
	able := slices.DeleteFunc(slices.Clone(running), func(p *peer) bool { _, ok := p.flows[name]; return !ok })
	failed := map[*peer]bool{}
	for round := range rounds + 1 { // round 0 warms up
		for _, p := range able {
			if failed[p] {
				continue
			}
			f := p.flows[name]
			if f.on == nil {
				f.on = p.on
			}
			length := slice
			if round == 0 {
				length = max(time.Second, p.warm)
			}
			s, err := run(db, f, length)
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, f.on.tail())
				fmt.Fprintf(os.Stderr, "%s of %s: %v\n", name, p.name, err)
				out.fail(name, p, err)
				failed[p] = true
				if p.name == "sallyport" {
					b.Fail()
				}
				continue
			}
			if round > 0 {
				out.record(name, p, s)
			}
			fmt.Fprintf(os.Stderr, "%-26s %-14s %8.0f/s\n", name, p.name, s.Rate)
		}
	}
}
