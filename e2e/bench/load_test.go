package bench

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/e2e/load"
)

// sample is an operation that succeeded.
type sample struct{ ended, took time.Duration } // ended: since the beginning

// mark is the state at a boundary between two parts of a run.
type mark struct {
	at      time.Duration // since the beginning
	refused int64
	used    used
}

// underLoad runs a flow over all connections, each in a closed loop, and returns its figures.
func underLoad(t *target, x run, s settings) (map[string]figure, error) {
	workers := make([]*worker, x.connections)
	defer func() {
		for _, w := range workers {
			if w != nil {
				_ = w.Close()
			}
		}
	}()
	for i := range workers {
		c, err := load.Dial(t.addr, x.from(i)...)
		if err != nil {
			return nil, err
		}
		workers[i] = &worker{number: i, Client: c, people: t.people}
	}
	if err := prepare(workers, x); err != nil {
		return nil, err
	}
	saved := saveProfiles(t, x, s)
	figures, err := drive(workers, x, s.time, t.used)
	return figures, errors.Join(err, saved())
}

// drive runs the workers for a time, or until their stock is used up.
func drive(workers []*worker, x run, whole time.Duration, usage func() (used, error)) (map[string]figure, error) {
	l := &loop{run: x, workers: workers, samples: make([][]sample, len(workers)), began: time.Now()}
	l.start()
	marks, err := l.watch(usage, whole)
	l.stop()
	if err = errors.Join(l.err(), err); err != nil {
		return nil, err
	}
	return summarize(slices.Concat(l.samples...), marks), nil
}

// prepare makes each worker ready, or stocks it.
func prepare(workers []*worker, x run) error {
	if x.prepare == nil {
		return nil
	}
	errs := make([]error, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() {
			for range max(1, x.stock/len(workers)) {
				if errs[i] = x.prepare(w); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// loop runs operations until it is stopped or its stock is used up.
type loop struct {
	run
	workers []*worker
	samples [][]sample
	began   time.Time
	done    atomic.Int64
	refused atomic.Int64
	ends    atomic.Bool
	failed  atomic.Pointer[error]
	wg      sync.WaitGroup
}

func (l *loop) start() {
	for i, w := range l.workers {
		l.wg.Go(func() {
			for n := 0; !l.ends.Load() && (l.stock == 0 || n < l.stock/len(l.workers)); n++ {
				at := time.Now()
				err := l.do(w)
				ended := time.Now()
				var no *load.Refusal
				switch {
				case err == nil:
					l.samples[i] = append(l.samples[i], sample{ended.Sub(l.began), ended.Sub(at)})
					l.done.Add(1)
				case errors.As(err, &no):
					l.refused.Add(1)
				default:
					l.failed.CompareAndSwap(nil, &err)
					l.ends.Store(true)
				}
			}
		})
	}
	go func() { l.wg.Wait(); l.ends.Store(true) }()
}

// stop ends the loop, after the operations under way.
func (l *loop) stop() {
	l.ends.Store(true)
	l.wg.Wait()
}

func (l *loop) err() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// watch takes a mark at the beginning and after each part: parts of the time, or of the stock.
func (l *loop) watch(usage func() (used, error), whole time.Duration) ([]mark, error) {
	stock := int64(l.stock / len(l.workers) * len(l.workers))
	warm := whole / 10
	if stock > 0 {
		warm = 0
	}
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	var marks []mark
	for part := range parts + 1 {
		boundary := warm + whole*time.Duration(part)/parts
		for !l.ends.Load() {
			if stock > 0 && l.done.Load() >= stock*int64(part)/parts || stock == 0 && time.Since(l.began) >= boundary {
				break
			}
			<-look.C
		}
		u, err := usage()
		if err != nil {
			return nil, err
		}
		marks = append(marks, mark{at: time.Since(l.began), refused: l.refused.Load(), used: u})
	}
	return marks, nil
}
