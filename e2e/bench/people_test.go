package bench

import (
	"errors"
	"sync"
	"time"
)

// people are the users. Each spends a step of their authenticator's clock with a code, and
// the server takes a step once.
type people struct {
	mu   sync.Mutex
	turn int
	last []int64 // step, by user
}

func newPeople(count int) *people { return &people{last: make([]int64, count)} }

// next returns the next user, and the step of a code that the server has not seen.
func (p *people) next(second bool, now time.Time) (user int, step int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn = (p.turn + 1) % len(p.last)
	if !second {
		return p.turn, 0, nil
	}
	current := now.Unix() / 30
	// The server also takes the code of the step after the current one.
	if step = max(current, p.last[p.turn]+1); step > current+1 {
		return 0, 0, errors.New("all users have spent their codes of this minute: seed more")
	}
	p.last[p.turn] = step
	return p.turn, step, nil
}
