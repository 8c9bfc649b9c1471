package bench

import (
	"fmt"
	"sync"
	"time"
)

// crowd is 32 people behind one address who sign in at the same moment, three times: the
// worst of it.
func crowd(t *target, _ settings) (map[string]figure, error) {
	const people = 32
	var rounds []map[string]float64
	for round := range 3 {
		o := &outcomes{began: time.Now()}
		slowest := make([]time.Duration, people)
		var wg sync.WaitGroup
		for i := range people {
			wg.Go(func() { slowest[i], _ = o.login(t, fmt.Sprintf("127.0.4.%d", round+1), kinds{served, refused}) })
		}
		wg.Wait()
		if o.err != nil {
			return nil, o.err
		}
		m := map[string]float64{served: 0, refused: 0, "slowest-ms": 0}
		for _, x := range o.all {
			m[x.kind]++
		}
		for _, d := range slowest {
			m["slowest-ms"] = max(m["slowest-ms"], milliseconds(d))
		}
		rounds = append(rounds, m)
	}
	return spread(len(rounds), func(from, to int) map[string]float64 {
		worst := map[string]float64{served: people}
		for _, m := range rounds[from:to] {
			worst[served] = min(worst[served], m[served])
			worst[refused] = max(worst[refused], m[refused])
			worst["slowest-ms"] = max(worst["slowest-ms"], m["slowest-ms"])
		}
		return worst
	}), nil
}

// besideCrowd is one person after another, each at another address, beside 32 of one address
// who sign in again and again. Who is refused tries again after a second.
func besideCrowd(t *target, s settings) (map[string]figure, error) {
	whole := 2 * s.time
	o := &outcomes{began: time.Now()}
	var wg sync.WaitGroup
	again := func(address func(n int) string, k kinds) {
		wg.Go(func() {
			for n := 0; time.Since(o.began) < whole; n++ {
				if _, served := o.login(t, address(n), k); !served {
					<-time.After(time.Second)
				}
			}
		})
	}
	for range 32 {
		again(func(int) string { return "127.0.5.1" }, kinds{served, refused})
	}
	again(func(n int) string { return fmt.Sprintf("127.0.6.%d", n%254+1) }, kinds{alone, broken})
	wg.Wait()
	return o.spread(whole, 0), o.err
}
