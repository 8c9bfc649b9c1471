package bench

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"sallyport/e2e/load"
)

// hash is the cost of a password hash.
type hash int

const (
	freeHash    hash = iota // nearly free: what the rest of a login costs
	productHash             // argon2id at the product's defaults
)

func (h hash) String() string {
	if h == freeHash {
		return "free"
	}
	return onlyHash
}

func (h hash) job() serverJob {
	job := serverJob{Users: 2048}
	if h == freeHash {
		job.Memory, job.Time = 8, 1
	}
	return job
}

// worker is a connection's work.
type worker struct {
	number int
	*load.Client
	people *people
	held   tokens
	stock  []string // tokens to use up
}

// flow is what is measured.
type flow struct {
	name    string
	hash    hash
	stock   int // operations prepared; 0: as many as the time allows
	prepare func(w *worker) error
	do      func(w *worker) error
	// measure measures all by itself; nil: load does.
	measure func(*target, settings) (map[string]figure, error)
}

// peakFlow is the flow whose rate is the peak that overload is a multiple of.
const peakFlow = "login/argon2id/ES256"

func flows() []flow {
	get := func(path string) func(*worker) error {
		return func(w *worker) error { return want(200)(w.Get(path)) }
	}
	credentials := func(id string) func(*worker) error {
		return func(w *worker) error {
			return want(200)(w.Post("/token", url.Values{"grant_type": {"client_credentials"}}, basic(id)))
		}
	}
	signIn := func(id string) func(*worker) error {
		return func(w *worker) (err error) { w.held, err = login(w.Client, id, w.people); return err }
	}
	return []flow{
		{name: "discovery", do: get("/.well-known/openid-configuration")},
		{name: "keys", do: get("/jwks.json")},
		{name: "client-credentials/ES256", do: credentials("plain")},
		{name: "client-credentials/RS256", do: credentials("rsa")},
		{name: "client-credentials/opaque", do: credentials("opaque")},
		{name: "login/free/ES256", do: signIn("plain")},
		{name: "login/free/RS256", do: signIn("rsa")},
		{name: "totp/free/ES256", do: signIn("second")},
		{name: "sso", prepare: signIn("plain"), do: func(w *worker) error { _, err := again(w); return err }},
		{name: "refresh", prepare: signIn("plain"), do: refresh},
		{name: "introspection", prepare: signIn("plain"), do: func(w *worker) error {
			return want(200)(w.Post("/introspect", url.Values{"token": {w.held.Access}}, basic("plain")))
		}},
		{name: "userinfo", prepare: signIn("plain"), do: func(w *worker) error {
			return want(200)(w.Get("/userinfo", "Authorization: Bearer "+w.held.Access))
		}},
		{name: "revocation", stock: 1200, prepare: grantMore, do: func(w *worker) error {
			token := w.stock[0]
			w.stock = w.stock[1:]
			return want(200)(w.Post("/revoke", url.Values{"token": {token}}, basic("plain")))
		}},
		{name: peakFlow, hash: productHash, do: signIn("plain")},
		{name: "totp/argon2id/ES256", hash: productHash, do: signIn("second")},
		{name: "overload 2x", hash: productHash, measure: overload(2)},
		{name: "overload 5x", hash: productHash, measure: overload(5)},
		{name: "32 people behind one address", hash: productHash, measure: crowd},
		{name: "one person beside 32 of one address", hash: productHash, measure: besideCrowd},
	}
}

// again is single sign-on: authorize with a session, nothing to ask.
func again(w *worker) (load.Response, error) {
	r, err := w.Get(authorize("plain"))
	if err := want(303)(r, err); err != nil {
		return r, err
	}
	if !strings.HasPrefix(r.Location, benchRedirect+"?code=") {
		return r, fmt.Errorf("no code: %s", r.Location)
	}
	return r, nil
}

func refresh(w *worker) error {
	r, err := w.Post("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {w.held.Refresh}}, basic("plain"))
	if err := want(200)(r, err); err != nil {
		return err
	}
	return json.Unmarshal(r.Body, &w.held)
}

// grantMore adds a grant to the stock, by single sign-on after a login.
func grantMore(w *worker) error {
	if len(w.stock) == 0 {
		t, err := login(w.Client, "plain", w.people)
		w.stock = append(w.stock, t.Access)
		return err
	}
	r, err := again(w)
	if err != nil {
		return err
	}
	t, err := exchange(w.Client, "plain", r)
	w.stock = append(w.stock, t.Access)
	return err
}

// run is a flow on a database over some connections.
type run struct {
	flow
	database    string
	connections int
	// place is the number of the address that everybody comes from; 0: many addresses, so
	// few persons at each that no limit of an address matters.
	place int
}

func (r run) name() string {
	if r.measure != nil {
		return r.database + "/" + r.flow.name
	}
	from := "many"
	if r.place > 0 {
		from = "one"
	}
	return fmt.Sprintf("%s/%d/%s/%s", r.database, r.connections, from, r.flow.name)
}

// runsOf returns how a flow is measured: alone, under load, and, if the product limits it by
// address, behind one address. Each such run has its own address, or it would find the limits
// of the one before.
func runsOf(f flow) []run {
	if f.measure != nil {
		return []run{{flow: f}}
	}
	var out []run
	for _, n := range []int{1, 8, 32} {
		out = append(out, run{flow: f, connections: n})
	}
	if kind, _, _ := strings.Cut(f.name, "/"); kind == "login" || kind == "totp" {
		for i, n := range []int{8, 32} {
			place := 2*int(f.hash) + i + 1
			if kind == "totp" {
				place += 100
			}
			if strings.HasSuffix(f.name, "RS256") {
				place += 50
			}
			out = append(out, run{flow: f, connections: n, place: place})
		}
	}
	return out
}

// addresses is how many source addresses there are: enough that the product's limits by
// address do not bind, few enough that their idle connections cost little.
const addresses = 64

// from returns the source addresses of a worker. All of 127.0.0.0/8 is this machine.
func (r run) from(worker int) []string {
	if r.place > 0 {
		return []string{fmt.Sprintf("127.0.1.%d", r.place)}
	}
	var out []string
	for i := worker; i < addresses; i += r.connections {
		out = append(out, fmt.Sprintf("127.0.0.%d", i+1))
	}
	return out
}
