package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"time"

	"sallyport/e2e/load"
	"sallyport/storage"
)

// growthConnections are few, so that times are those of work, not of queues.
const growthConnections = 2

// growthOperation is measured in every town.
type growthOperation struct {
	name string
	do   func(t *town, w *worker) error
}

func growthOperations() []growthOperation {
	search := func(name string, query func(user string) url.Values) growthOperation {
		return growthOperation{"search " + name, func(t *town, w *worker) error {
			return t.search(w, query(userName(rand.IntN(t.size))))
		}}
	}
	// As the dialects of Stytch and Streambird search.
	find := func(name string, of func(t *town, i int) storage.UserSearch) growthOperation {
		return growthOperation{"search " + name, func(t *town, _ *worker) error {
			s := of(t, rand.IntN(t.size))
			s.Limit, s.Count, s.Now = 20, true, time.Now()
			_, err := t.server.Store.SearchUsers(context.Background(), s)
			return err
		}}
	}
	return []growthOperation{
		{"login", func(t *town, w *worker) error {
			_, err := loginOf(w.Client, "plain", rand.IntN(t.size), 0)
			return err
		}},
		{"refresh", func(t *town, w *worker) error {
			token, err := t.refresh(w, rand.IntN(t.size-1)+1)
			t.hold(token)
			return err
		}},
		{"introspection", func(t *town, w *worker) error {
			return want(200)(w.Post("/introspect", url.Values{"token": {t.held()}}, basic("plain")))
		}},
		search("by name", func(user string) url.Values { return url.Values{"name": {user}} }),
		search("by part of a name", func(user string) url.Values { return url.Values{"search": {user[1:]}} }),
		search("by part of every name", func(string) url.Values { return url.Values{"search": {"bench"}} }),
		search("by part of no name", func(string) url.Values { return url.Values{"search": {"nobody-has-this"}} }),
		find("by ID and address", func(t *town, i int) storage.UserSearch {
			return storage.UserSearch{Any: true, IDs: []storage.UserID{storage.UserID(t.randomOf(t.user, i))}, Emails: []string{userName(i) + "@example.com"}}
		}),
		find("by a rare status", func(*town, int) storage.UserSearch {
			return storage.UserSearch{Statuses: []storage.UserStatus{storage.UserPending}}
		}),
		find("by the common status", func(*town, int) storage.UserSearch {
			return storage.UserSearch{Statuses: []storage.UserStatus{storage.UserActive}}
		}),
		search("page of all", func(string) url.Values { return nil }),
		{"events of a user", func(t *town, w *worker) error {
			return t.admins("/admin/v1/events?" + url.Values{"user": {t.randomOf(t.user, rand.IntN(t.size))}, "limit": {"20"}}.Encode())
		}},
		{"sweep, nothing expired", func(t *town, _ *worker) error {
			_, err := t.server.SweepExpired(context.Background())
			return err
		}},
	}
}

var growing sync.Mutex // of refreshed, busy and access of all towns

// refresh uses a refresh token of a copy and returns the access token. It takes the next copy if
// another worker has this one: its token is not good before that worker has the response.
func (t *town) refresh(w *worker, i int) (string, error) {
	growing.Lock()
	for t.busy[i] {
		i = (i + 1) % t.size
	}
	t.busy[i] = true
	growing.Unlock()
	defer func() {
		growing.Lock()
		delete(t.busy, i)
		growing.Unlock()
	}()
	later := -liveSpan + time.Duration(float64(liveSpan)*float64(i)/float64(t.size))
	id, _ := storage.Bytes(storage.GrantID(orderedOf(t.grant, i, t.first.Add(later))))
	growing.Lock()
	generation, again := t.refreshed[i]
	if !again {
		generation = t.generation
	}
	t.refreshed[i] = generation + 1
	growing.Unlock()
	w.held.Refresh = "sp_rt_" + t.server.Keyring.Token("token", id, generation)
	err := refresh(w)
	return w.held.Access, err
}

// most is how many access tokens a town holds.
const most = 20_000

func (t *town) hold(token string) {
	growing.Lock()
	defer growing.Unlock()
	if len(t.access) < most {
		t.access = append(t.access, token)
	}
}

func (t *town) held() string {
	growing.Lock()
	defer growing.Unlock()
	return t.access[rand.IntN(len(t.access))]
}

func (t *town) search(_ *worker, query url.Values) error {
	if query == nil {
		query = url.Values{"after": {t.randomOf(t.user, rand.IntN(t.size))}}
	}
	query.Set("limit", "20")
	return t.admins("/admin/v1/users?" + query.Encode())
}

// admins calls the admin API.
func (t *town) admins(path string) error {
	c, err := load.Dial(t.admin)
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.Get(path, "Authorization: Bearer "+benchSecret)
	if err := want(200)(r, err); err != nil {
		return err
	}
	return json.Unmarshal(r.Body, &struct{}{})
}

// measuredOperation is what an operation took in a town.
type measuredOperation struct {
	Operation string  `json:"operation"`
	Users     int     `json:"users"`
	Count     int     `json:"count"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	// Ratio is the median over the rounds of the ratio of its p50 to that of the smallest town.
	Ratio float64 `json:"ratio"`
	// Scanned are rows that an operation read by sequential scans of tables, and Sorted the bytes
	// that it wrote to temporary files.
	Scanned float64 `json:"scanned_rows"`
	Sorted  float64 `json:"temporary_bytes"`
}

// alternate measures an operation in all towns, round after round, after a round that only
// warms caches.
func alternate(towns []*town, op growthOperation, g growth) ([]measuredOperation, error) {
	took := make([][]float64, len(towns))
	medians := make([][]float64, len(towns))
	scans := make([]scanned, len(towns))
	for round := range g.rounds + 1 {
		for k := range towns {
			i := (k + round) % len(towns)
			before, err := towns[i].scanned()
			if err != nil {
				return nil, err
			}
			part, err := towns[i].slice(op, g.slice)
			if err != nil {
				return nil, err
			}
			if len(part) == 0 {
				return nil, errors.New("no operation ended")
			}
			after, err := towns[i].scanned()
			if err != nil {
				return nil, err
			}
			if round == 0 {
				continue
			}
			scans[i].rows += after.rows - before.rows
			scans[i].bytes += after.bytes - before.bytes
			took[i] = append(took[i], part...)
			slices.Sort(part)
			medians[i] = append(medians[i], percentile(part, 0.5))
		}
	}
	var out []measuredOperation
	for i, t := range towns {
		n := len(took[i])
		p50, p99 := percentiles(took[i])
		ratios := make([]float64, g.rounds)
		for k := range ratios {
			ratios[k] = medians[i][k] / medians[0][k]
		}
		slices.Sort(ratios)
		out = append(out, measuredOperation{op.name, t.size, n, p50, p99, percentile(ratios, 0.5), float64(scans[i].rows) / float64(n), float64(scans[i].bytes) / float64(n)})
	}
	return out, nil
}

// slice runs an operation for a time and returns what each took.
func (t *town) slice(op growthOperation, d time.Duration) (took []float64, err error) {
	err = t.with(growthConnections, func(workers []*worker) error {
		l := &loop{run: run{flow: flow{do: func(w *worker) error { return op.do(t, w) }}}, workers: workers, samples: make([][]sample, len(workers)), began: time.Now()}
		l.start()
		end := time.NewTimer(d)
		defer end.Stop()
		<-end.C
		l.stop()
		for _, s := range slices.Concat(l.samples...) {
			took = append(took, milliseconds(s.took))
		}
		if n := l.refused.Load(); n > 0 {
			return fmt.Errorf("%d refused", n)
		}
		return l.err()
	})
	return took, err
}

// with connects workers, whose connections a server would close while they wait.
func (t *town) with(count int, do func([]*worker) error) error {
	workers := make([]*worker, count)
	for i := range workers {
		c, err := load.Dial(t.addr, run{connections: count}.from(i)...)
		if err != nil {
			return err
		}
		defer c.Close()
		workers[i] = &worker{number: i, Client: c, people: t.people}
	}
	return do(workers)
}

// scanned is what sequential scans have read, and what sorts and hashes have spilled.
type scanned struct{ rows, bytes int64 }

func (t *town) scanned() (scanned, error) {
	var s scanned
	// Counters arrive when a transaction of their session ends, at most once a second.
	err := t.conn.QueryRow(context.Background(), `SELECT (SELECT COALESCE(SUM(seq_tup_read), 0)::bigint FROM pg_stat_user_tables WHERE n_live_tup > 900),
		(SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database())`).Scan(&s.rows, &s.bytes)
	return s, err
}

// weight is what a table takes.
type weight struct {
	Users   int    `json:"users"`
	Table   string `json:"table"`
	Rows    int64  `json:"rows"`
	Heap    int64  `json:"heap_bytes"` // with values stored out of line
	Indexes int64  `json:"index_bytes"`
}

// weigh returns the sizes of the tables that have 1,000 rows or more.
func (t *town) weigh(ctx context.Context) ([]weight, error) {
	if _, err := t.conn.Exec(ctx, "ANALYZE"); err != nil {
		return nil, err
	}
	rows, err := t.conn.Query(ctx, `SELECT c.relname, c.reltuples::bigint, pg_table_size(c.oid), pg_indexes_size(c.oid) FROM pg_class c
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.reltuples >= 900 ORDER BY pg_total_relation_size(c.oid) DESC`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []weight
	for rows.Next() {
		w := weight{Users: t.size}
		if err := rows.Scan(&w.Table, &w.Rows, &w.Heap, &w.Indexes); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, rows.Err()
}
