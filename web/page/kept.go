package page

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
)

// Most responses with a page show what the last one showed, with other random values in it. Such
// a page is rendered once: what is between these values is kept, by all that the page depends on.

// Data is the data of a page that may be kept. The page depends only on shape, which is comparable,
// and on the random values, which differ in every response. If ok is false the page is rendered anew,
// because it shows something personal, such as a name.
type Data interface {
	Kept() (shape any, random []string, ok bool)
}

// shape is all that a kept page depends on, besides its random values and what is the same on
// every page of a Look.
type shape struct {
	name, lang   string
	before, here string // Page.Here around the request
	client       Client
	languages    *string
	count        int
	asks         bool
	passkeys     bool
	data         any
}

// shapeOf returns the shape of a page and its random values. A page that names a user, or that
// says what went wrong, has none.
func shapeOf(name string, v *Page) (shape, []string, bool) {
	d, ok := v.Data.(Data)
	if !ok || v.Alert != nil || v.Account != "" || len(v.Frames) > 0 {
		return shape{}, nil, false
	}
	data, more, ok := d.Kept()
	random := append(make([]string, 0, 8), v.Nonce, v.Support, v.CSRF, string(v.Request))
	random = append(random, more...)
	if !ok || slices.ContainsFunc(random, predictable) {
		return shape{}, nil, false
	}
	s := shape{name: name, lang: v.lang, client: v.Client, count: len(v.languages), asks: v.Asks, passkeys: v.Passkeys, data: data}
	s.before, s.here, _ = strings.Cut(v.Here, string(v.Request))
	if len(s.before)+len(s.here) > longestHere {
		return shape{}, nil, false
	}
	if s.count > 0 {
		s.languages = &v.languages[0] // a list of the server, which never changes
	}
	return s, random, true
}

const (
	leastRandom = 16      // characters of a random value
	mostRandom  = 8 << 10 // so that a page is not kept for its address
	longestHere = 256
	mostKept    = 256 // pages
)

// predictable reports whether a value cannot be told from other parts of a page by its text, or has
// characters that are not written as they are everywhere.
func predictable(value string) bool {
	return len(value) < leastRandom || len(value) > mostRandom || strings.ContainsFunc(value, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// kept is a page that was rendered before.
type kept struct {
	pieces [][]byte // what is around the random values
	values []int    // which of them follows each piece but the last
	first  []string // the random values of the first rendering
	// proven: another rendering, with other random values, was what fill returns.
	proven bool
	never  bool // it was not, so this page depends on more than its shape
}

// fill writes a kept page with other random values.
func (k *kept) fill(b *bytes.Buffer, random []string) {
	for i, piece := range k.pieces {
		b.Write(piece)
		if i < len(k.values) {
			b.WriteString(random[k.values[i]])
		}
	}
}

// split takes a page apart.
func split(text []byte, random []string) *kept {
	k := &kept{first: slices.Clone(random)}
	for rest := bytes.Clone(text); ; {
		at, which := -1, 0
		for i, value := range random {
			if j := bytes.Index(rest, []byte(value)); j >= 0 && (at < 0 || j < at) {
				at, which = j, i
			}
		}
		if at < 0 {
			k.pieces = append(k.pieces, rest)
			return k
		}
		k.pieces, k.values = append(k.pieces, rest[:at:at]), append(k.values, which)
		rest = rest[at+len(random[which]):]
	}
}

// differ reports whether none of the values is the same.
func differ(a, b []string) bool {
	for i := range a {
		if a[i] == b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// keeper keeps pages.
type keeper struct {
	mu  sync.RWMutex
	all map[shape]*kept // whose values do not change
}

// write writes a page: a kept one, or else what render writes. A page is kept when two renderings
// differed in nothing but their random values, so that a template may do what it likes with these.
func (k *keeper) write(b *bytes.Buffer, name string, v *Page, render func(io.Writer, string, *Page) error) error {
	s, random, ok := shapeOf(name, v)
	if !ok {
		return render(b, name, v)
	}
	k.mu.RLock()
	found := k.all[s]
	k.mu.RUnlock()
	if found != nil && found.proven {
		found.fill(b, random)
		return nil
	}
	if err := render(b, name, v); err != nil {
		return err
	}
	switch {
	case found == nil:
		k.put(s, split(b.Bytes(), random))
	case !found.never && differ(found.first, random):
		var filled bytes.Buffer
		found.fill(&filled, random)
		if bytes.Equal(filled.Bytes(), b.Bytes()) {
			k.put(s, &kept{pieces: found.pieces, values: found.values, proven: true})
		} else {
			k.put(s, &kept{never: true})
		}
	}
	return nil
}

// put keeps a page. What callers send is part of shapes, so their number has a bound.
func (k *keeper) put(s shape, page *kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[s] == nil && len(k.all) >= mostKept || k.all == nil {
		k.all = map[shape]*kept{}
	}
	k.all[s] = page
}
