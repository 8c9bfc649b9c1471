package peers

import (
	"fmt"
	"sync/atomic"
)

// people hands out users one after the other, so that the connections sign in as different ones.
type people struct {
	names []string
	taken atomic.Int64
}

func userNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("bench%04d", i)
	}
	return names
}

func newPeople(n int) *people { return &people{names: userNames(n)} }

func (p *people) next() string { return p.names[int(p.taken.Add(1))%len(p.names)] }
