package bench

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/e2e/load"
)

// growth is what BenchmarkGrowth measures; docs/scale.md describes each variable.
type growth struct {
	sizes   []int         // GROWTH_SIZES: users
	history float64       // GROWTH_HISTORY: old events a user
	slice   time.Duration // GROWTH_TIME
	rounds  int           // GROWTH_ROUNDS
	out     string        // GROWTH_OUT
	charts  string        // GROWTH_CHARTS: folder
	from    string        // GROWTH_FROM: earlier figures to draw, and nothing is measured
}

func readGrowth(env func(string) string) (growth, error) {
	g := growth{out: cmp.Or(env("GROWTH_OUT"), "growth.json"), charts: env("GROWTH_CHARTS"), from: env("GROWTH_FROM")}
	var errs []error
	for text := range strings.SplitSeq(cmp.Or(env("GROWTH_SIZES"), "10000,1000000"), ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			errs = append(errs, fmt.Errorf("GROWTH_SIZES: %q is not a number of users from 1000", text))
		}
		g.sizes = append(g.sizes, n)
	}
	slices.Sort(g.sizes)
	var err error
	if g.history, err = strconv.ParseFloat(cmp.Or(env("GROWTH_HISTORY"), "1"), 64); err != nil || g.history < 0 {
		errs = append(errs, fmt.Errorf("GROWTH_HISTORY: %q is not a number of events", env("GROWTH_HISTORY")))
	}
	if g.slice, err = time.ParseDuration(cmp.Or(env("GROWTH_TIME"), "2s")); err != nil {
		errs = append(errs, fmt.Errorf("GROWTH_TIME: %w", err))
	}
	if g.rounds, err = strconv.Atoi(cmp.Or(env("GROWTH_ROUNDS"), "5")); err != nil || g.rounds < 1 {
		errs = append(errs, fmt.Errorf("GROWTH_ROUNDS: %q is not a number of rounds", env("GROWTH_ROUNDS")))
	}
	return g, errors.Join(errs...)
}

// town is a database of some size with its server.
type town struct {
	*target
	size   int
	dsn    string
	admin  string
	dir    string
	conn   *pgx.Conn
	server *server.Server // its engine and keys, in this process

	first               time.Time // when the first user was created
	user, authenticator string    // of the first user
	password            []byte    // as it is sealed
	grant               string
	generation          uint32
	of                  map[string][]stencil // by table
	refreshed           map[int]uint32       // generations of grants of this run
	busy                map[int]bool         // copies that a worker refreshes
	access              []string             // tokens of refreshed grants

	filled time.Duration
}

// BenchmarkGrowth fills databases of several sizes and measures the same operations on all of
// them, in slices that alternate, so that other work on the machine is in all of them alike.
func BenchmarkGrowth(b *testing.B) {
	g, err := readGrowth(os.Getenv)
	if err != nil {
		b.Fatal(err)
	}
	if g.from != "" {
		if err := drawAgain(g); err != nil {
			b.Fatal(err)
		}
		return
	}
	p := newPostgres(b, "-c shared_buffers=2GB -c maintenance_work_mem=512MB -c wal_compression=on -c effective_cache_size=12GB")
	r := &growthReport{report: newReport()}
	var towns []*town
	for _, size := range g.sizes {
		t := newTown(b, p, size)
		if err := t.fill(context.Background(), g.history); err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "%d users filled in %s\n", size, t.filled.Round(time.Second))
		towns = append(towns, t)
	}
	for _, op := range growthOperations() {
		rows, err := alternate(towns, op, g)
		if err != nil {
			b.Fatalf("%s: %v", op.name, err)
		}
		for _, o := range rows {
			fmt.Fprintf(os.Stderr, "%s, %d users: %.2f ms, %.2f\n", o.Operation, o.Users, o.P50, o.Ratio)
		}
		r.Operations = append(r.Operations, rows...)
	}
	for _, t := range towns {
		rows, err := t.weigh(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		r.Tables = append(r.Tables, rows...)
	}
	if r.Sweeping, err = towns[len(towns)-1].sweepBeside(context.Background(), g); err != nil {
		b.Fatal(err)
	}
	r.printGrowth(os.Stdout)
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(g.out, append(text, '\n'), 0o600), r.draw(g.charts)); err != nil {
		b.Fatal(err)
	}
	fmt.Println("saved in", g.out)
}

// newTown starts a server on a database of its own, with one user.
func newTown(b *testing.B, p *postgres, size int) *town {
	b.Helper()
	ctx := context.Background()
	database := fmt.Sprintf("growth_%d", size)
	if _, err := p.conn.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		b.Fatal(err)
	}
	address, err := url.Parse(p.address)
	if err != nil {
		b.Fatal(err)
	}
	address.Path = "/" + database
	t := &town{size: size, dsn: address.String(), admin: load.FreeAddress(b), dir: b.TempDir(), refreshed: map[int]uint32{}, busy: map[int]bool{}}
	job := freeHash.job()
	job.Users, job.Admin = 1, t.admin
	t.target = launch(b, t.dir, t.dsn, job)
	if t.conn, err = pgx.Connect(ctx, t.dsn); err != nil {
		b.Fatal(err)
	}
	c, err := config.Load(filepath.Join(t.dir, "sallyport.yaml"), nil)
	if err != nil {
		b.Fatal(err)
	}
	o, err := server.NewOptions(c, slog.New(slog.DiscardHandler), time.Now, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	if t.server, err = server.OpenKeys(ctx, o); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = errors.Join(t.conn.Close(ctx), t.server.Store.Close()) })
	return t
}

// liveSpan is the time in which the live grants were made, and past the time in which the
// history was, which is what `audit.keep` keeps by default.
const (
	liveSpan = 3 * 24 * time.Hour
	past     = 380 * 24 * time.Hour
)

// fill copies what the server wrote for the first user and their login.
func (t *town) fill(ctx context.Context, history float64) error {
	began := time.Now()
	err := t.with(1, func(w []*worker) error {
		_, err := loginOf(w[0].Client, "plain", 0, 0)
		return err
	})
	if err != nil {
		return err
	}
	if err := t.learn(ctx); err != nil {
		return err
	}
	live := func(i int) time.Duration {
		return -liveSpan + time.Duration(float64(liveSpan)*float64(i)/float64(t.size))
	}
	lines := int(history * float64(t.size))
	old := func(i int) time.Duration {
		return -past + time.Duration(float64(past-liveSpan)*float64(i)/float64(max(1, lines)))
	}
	t.of = map[string][]stencil{}
	for table, query := range map[string]string{
		"users": "SELECT * FROM users", "identifiers": "SELECT * FROM identifiers WHERE kind = 'username'",
		"authenticators": "SELECT * FROM authenticators WHERE method = 'password'",
		"grants":         "SELECT * FROM grants", "events": "SELECT * FROM events WHERE user_id IS NOT NULL",
	} {
		var err error
		if t.of[table], err = t.stencils(ctx, query); err != nil {
			return err
		}
	}
	errs := make(chan error, 2)
	go func() {
		for _, table := range []string{"users", "identifiers", "authenticators"} {
			if err := t.copies(ctx, table, t.of[table], 1, t.size, live); err != nil {
				errs <- err
				return
			}
		}
		errs <- nil
	}()
	go func() {
		err := t.copies(ctx, "grants", t.of["grants"], 1, t.size, live)
		if err == nil {
			err = t.copies(ctx, "events", t.of["events"], 1, 1+lines, old)
		}
		errs <- err
	}()
	if err := errors.Join(<-errs, <-errs); err != nil {
		return err
	}
	for _, s := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := t.conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	t.filled = time.Since(began)
	return t.isReal()
}

// isReal signs the last copy in and refreshes its token.
func (t *town) isReal() error {
	return t.with(1, func(w []*worker) error {
		last := t.size - 1
		if _, err := loginOf(w[0].Client, "plain", last, 0); err != nil {
			return fmt.Errorf("sign in %s: %w", userName(last), err)
		}
		if _, err := t.refresh(w[0], last); err != nil {
			return fmt.Errorf("refresh the token of %s: %w", userName(last), err)
		}
		return nil
	})
}

// learn reads what of the first user's rows differs in copies.
func (t *town) learn(ctx context.Context) error {
	var created int64
	var sealed []byte
	err := t.conn.QueryRow(ctx, `SELECT CAST(u.id AS text), u.created_at, CAST(a.id AS text), a.secret, CAST(g.id AS text), g.generation
		FROM users u, authenticators a, grants g WHERE a.user_id = u.id AND a.method = 'password' AND g.user_id = u.id`).
		Scan(&t.user, &created, &t.authenticator, &sealed, &t.grant, &t.generation)
	if err != nil {
		return err
	}
	t.first = time.UnixMicro(created)
	t.password, err = t.server.Keyring.Open("authenticator:password", t.user+"/"+t.authenticator, sealed)
	return err
}

func (t *town) stencils(ctx context.Context, query string) ([]stencil, error) {
	rows, err := t.sample(ctx, query)
	if err != nil {
		return nil, err
	}
	var sealed string
	if strings.Contains(query, "authenticators") {
		var secret string
		if err := t.conn.QueryRow(ctx, "SELECT CAST(secret AS text) FROM authenticators WHERE method = 'password'").Scan(&secret); err != nil {
			return nil, err
		}
		sealed = `\` + secret // as COPY escapes it
	}
	var out []stencil
	for _, row := range rows {
		out = append(out, t.newStencil(row, sealed))
	}
	return out, nil
}
