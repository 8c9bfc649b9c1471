package stytch

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sallyport/mfa"
)

// rates limits the calls of each project. It keeps no more projects than there are API keys, as
// only authenticated calls are counted.
type rates struct {
	most int // calls a second, and at once; 0: no limit
	now  func() time.Time

	mu       sync.Mutex
	projects map[string]*rate.Limiter
}

// take counts a call. TooManyRequests: beyond the limit.
func (r *rates) take(project string) error {
	if r.most == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.projects[project]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(r.most), r.most)
		r.projects[project] = l
	}
	if !l.AllowN(r.now(), 1) {
		return &mfa.Error{Code: mfa.TooManyRequests, RetryAfter: time.Second}
	}
	return nil
}
