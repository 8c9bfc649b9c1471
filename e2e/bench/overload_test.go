package bench

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"sallyport/e2e/load"
)

// outcome is how a login or a call beside it ended.
type outcome struct {
	ended time.Duration // since the beginning
	kind  string
	took  time.Duration // of the login or call; of a refusal, of the call that was refused
}

const (
	served     = "served"
	refused    = "refused"
	broken     = "failed"
	discovered = "discovery"
	refreshed  = "refresh"
	alone      = "alone"
)

// kinds are how a login is counted: served, or refused.
type kinds [2]string

// overload offers logins at a multiple of the peak, each by a new person: on a new connection,
// at one of many addresses, whatever becomes of those before. Beside them somebody reads the
// discovery document, and somebody refreshes tokens.
func overload(factor float64) func(*target, settings) (map[string]figure, error) {
	return func(t *target, s settings) (map[string]figure, error) {
		peak, err := t.findPeak(s)
		if err != nil {
			return nil, err
		}
		whole := 2 * s.time
		o := &outcomes{began: time.Now()}
		quit := make(chan struct{})
		beside, err := o.beside(t, quit)
		if err != nil {
			return nil, err
		}
		o.offer(t, peak*factor, whole)
		close(quit)
		if err := beside(); err != nil {
			return nil, err
		}
		if o.err != nil {
			fmt.Fprintln(os.Stderr, "one that failed:", o.err)
		}
		return o.spread(whole, peak), nil
	}
}

// findPeak measures the most logins per second, once.
func (t *target) findPeak(s settings) (float64, error) {
	if t.peak == 0 {
		s.profiles = ""
		for _, f := range flows() {
			if f.name != peakFlow {
				continue
			}
			figures, err := underLoad(t, run{flow: f, connections: 32}, s)
			if err != nil {
				return 0, err
			}
			t.peak = figures["ops/s"].Value
		}
	}
	return t.peak, nil
}

// outcomes collects outcomes.
type outcomes struct {
	began time.Time
	mu    sync.Mutex
	all   []outcome
	err   error // of one that failed
}

func (o *outcomes) add(kind string, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, outcome{time.Since(o.began), kind, took})
}

// offer begins logins at a rate and returns when all have ended.
func (o *outcomes) offer(t *target, rate float64, whole time.Duration) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := 0; ; n++ {
		at := time.Duration(float64(n) / rate * float64(time.Second))
		if at >= whole {
			return
		}
		<-time.After(at - time.Since(o.began))
		wg.Go(func() { o.login(t, fmt.Sprintf("127.0.2.%d", n%254+1), kinds{served, refused}) })
	}
}

// login is the login of a new person, who gives up when refused.
func (o *outcomes) login(t *target, address string, k kinds) (slowest time.Duration, served bool) {
	began := time.Now()
	c, err := load.Dial(t.addr, address)
	if err == nil {
		defer c.Close()
		_, err = login(c, "plain", t.people)
		slowest = c.Slowest
	}
	var no *load.Refusal
	switch {
	case err == nil:
		o.add(k[0], time.Since(began))
	case errors.As(err, &no):
		o.add(k[1], no.Took)
	default:
		o.add(broken, time.Since(began))
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
	}
	return slowest, err == nil
}

// beside makes 20 calls of each other kind a second. The returned function waits for their end.
func (o *outcomes) beside(t *target, quit chan struct{}) (func() error, error) {
	c, err := load.Dial(t.addr, "127.0.3.1")
	if err != nil {
		return nil, err
	}
	r, err := load.Dial(t.addr, "127.0.3.2")
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	w := &worker{Client: r, people: t.people}
	if w.held, err = login(r, "plain", t.people); err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	regularly := func(i int, kind string, do func() error) {
		defer wg.Done()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for errs[i] == nil {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			at := time.Now()
			err := do()
			var no *load.Refusal
			switch {
			case err == nil:
				o.add(kind, time.Since(at))
			case errors.As(err, &no):
				o.add(broken, no.Took)
			default:
				errs[i] = err
			}
		}
	}
	wg.Add(2)
	go regularly(0, discovered, func() error { return want(200)(c.Get("/.well-known/openid-configuration")) })
	go regularly(1, refreshed, func() error { return refresh(w) })
	return func() error {
		wg.Wait()
		_ = c.Close()
		_ = r.Close()
		return errors.Join(errs...)
	}, nil
}

// spread returns the figures without the beginning, when the queue is not full yet and its first
// have not waited. peak is the rate that goodput is a share of; 0: there is none.
func (o *outcomes) spread(whole time.Duration, peak float64) map[string]figure {
	warm := whole / 3
	return spread(parts, func(from, to int) map[string]float64 {
		part := func(i int) time.Duration { return warm + (whole-warm)*time.Duration(i)/parts }
		return o.figures(part(from), part(to), peak)
	})
}

// figures returns the figures of what ended between two times.
func (o *outcomes) figures(from, to time.Duration, peak float64) map[string]float64 {
	took := map[string][]float64{}
	for _, x := range o.all {
		if x.ended > from && x.ended <= to {
			took[x.kind] = append(took[x.kind], milliseconds(x.took))
		}
	}
	seconds := (to - from).Seconds()
	out := map[string]float64{}
	if peak > 0 {
		out["goodput-%"] = 100 * float64(len(took[served])) / seconds / peak
	}
	for _, kind := range []string{served, refused, broken} {
		out[kind+"/s"] = float64(len(took[kind])) / seconds
	}
	for kind, all := range took {
		out[kind+"-p50-ms"], out[kind+"-p99-ms"] = percentiles(all)
	}
	return out
}
