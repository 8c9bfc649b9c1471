package peers

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/e2e/load"
)

const connections = 8

// flow is what is measured: an operation that each connection repeats.
type flow struct {
	on    *process // nil: the peer's
	ready func(v *visit) error
	do    func(v *visit) error
}

// visit is one connection, and what its user holds.
type visit struct {
	*load.Client
	worker int
	held   tokens
	admin  *load.Client // to the second listener of a server that has one
}

// sample is one slice.
type sample struct {
	Rate     float64 // operations per second
	P50, P99 float64 // ms
	Server   float64 // CPU of the server, us per operation
	Database float64 // CPU of PostgreSQL, us per operation
	WAL      float64 // bytes per operation
	RSS      float64 // MiB of the server
}

func (s sample) cpu() float64 { return s.Server + s.Database }

// settle is how long the load runs before it is measured.
const settle = 300 * time.Millisecond

// run puts a flow under load and measures it.
func run(db *database, f flow, length time.Duration) (sample, error) {
	if err := f.on.resume(); err != nil {
		return sample{}, err
	}
	defer f.on.pause()
	visits := make([]*visit, connections)
	for w := range visits {
		v, err := open(f.on, w)
		if err != nil {
			return sample{}, err
		}
		defer v.close()
		if f.ready != nil {
			if err := f.ready(v); err != nil {
				return sample{}, err
			}
		}
		visits[w] = v
	}
	return underLoad(db, f, visits, length)
}

func open(p *process, worker int) (*visit, error) {
	c, err := load.Dial(p.addr)
	if err != nil {
		return nil, err
	}
	v := &visit{Client: c, worker: worker}
	if p.admin != "" {
		if v.admin, err = load.Dial(p.admin); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return v, nil
}

func (v *visit) close() {
	_ = v.Close()
	if v.admin != nil {
		_ = v.admin.Close()
	}
}

func underLoad(db *database, f flow, visits []*visit, length time.Duration) (sample, error) {
	var wg sync.WaitGroup
	var measuring atomic.Bool
	stop, failed := make(chan struct{}), make(chan error, len(visits))
	took := make([][]time.Duration, len(visits))
	for w, v := range visits {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				if err := f.do(v); err != nil {
					failed <- err
					return
				}
				if measuring.Load() {
					took[w] = append(took[w], time.Since(began))
				}
			}
		})
	}
	s, err := func() (s sample, err error) {
		defer wg.Wait()
		defer close(stop)
		if err := wait(settle, failed); err != nil {
			return s, err
		}
		before, err := usedBy(db, f.on)
		if err != nil {
			return s, err
		}
		began := time.Now()
		measuring.Store(true)
		err = wait(length, failed)
		measuring.Store(false)
		elapsed := time.Since(began)
		if err != nil {
			return s, err
		}
		after, err := usedBy(db, f.on)
		if err != nil {
			return s, err
		}
		return sample{Rate: elapsed.Seconds(), Server: float64((after.server - before.server).Microseconds()),
			Database: float64((after.database - before.database).Microseconds()), WAL: float64(after.wal - before.wal),
			RSS: float64(after.rss) / (1 << 20)}, nil
	}()
	select {
	case late := <-failed:
		return s, late
	default:
	}
	if err != nil {
		return s, err
	}
	return s.per(slices.Concat(took...)), nil
}

// wait waits, unless an operation fails.
func wait(d time.Duration, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-time.After(d):
		return nil
	}
}

// per divides what was used by the operations that used it.
func (s sample) per(took []time.Duration) sample {
	slices.Sort(took)
	n := float64(max(1, len(took)))
	s.Rate = float64(len(took)) / s.Rate
	s.Server, s.Database, s.WAL = s.Server/n, s.Database/n, s.WAL/n
	if len(took) > 0 {
		s.P50 = float64(took[len(took)/2].Microseconds()) / 1000
		s.P99 = float64(took[len(took)*99/100].Microseconds()) / 1000
	}
	return s
}

// used is what a server and the database have used since they started.
type used struct {
	server, database time.Duration
	wal, rss         int64
}

func usedBy(db *database, p *process) (used, error) {
	var u used
	var err error
	if u.wal, err = db.wal(); err != nil {
		return u, err
	}
	all, err := processes()
	if err != nil {
		return u, err
	}
	u.server, u.rss = all.of(p.pid(), func(s stat) bool { return s.group == p.pid() })
	u.database, _ = all.of(db.pid, func(s stat) bool { return s.parent == db.pid })
	return u, nil
}
