package page

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sallyport/storage"
)

// Most responses with a page show what the last one showed, with other random values and another
// user's name in it. Such a page is rendered once: what is between these values is kept, by all that
// the page depends on.

// Data is the data of a page that may be kept. If ok is false the page is rendered anew.
type Data interface {
	Kept() (k Kept, ok bool)
	// With returns the data with other texts in place of Kept.Texts: as many, and empty where these are.
	With(texts []string) any
}

// Kept is what the page of a Data depends on.
type Kept struct {
	Shape  any      // comparable; nothing of it is personal
	Random []string // of the server, other ones in every response or for every user
	// Texts are personal, such as the name that a user gave an authenticator. A page shows them as
	// HTML or in quoted attributes; one that does more with them is not kept.
	Texts []string
}

// shape is all that a kept page depends on, besides its holes and what is the same on every page of
// a Look.
type shape struct {
	name, lang   string
	before, here string // Page.Here around the request
	client       Client
	languages    *string
	count        int
	asks         bool
	passkeys     bool
	texts        uint64 // a bit for each text that is not empty
	data         any
}

// holes are the values of a kept page that are others in another response.
type holes struct {
	user   storage.UserID
	random []string
	texts  []string // the account, and those of the data
}

// shapeOf returns the shape of a page and its holes. A page that says what went wrong has none.
func shapeOf(name string, v *Page) (shape, holes, bool) {
	d, ok := v.Data.(Data)
	if !ok || v.Alert != nil || len(v.Frames) > 0 {
		return shape{}, holes{}, false
	}
	data, ok := d.Kept()
	h := holes{user: v.User, random: append(make([]string, 0, 8), v.Nonce, v.Support, v.CSRF, string(v.Request)), texts: append([]string{v.Account}, data.Texts...)}
	h.random = append(h.random, data.Random...)
	if !ok || len(h.texts) > mostTexts || slices.ContainsFunc(h.random, predictable) {
		return shape{}, holes{}, false
	}
	s := shape{name: name, lang: v.lang, client: v.Client, count: len(v.languages), asks: v.Asks, passkeys: v.Passkeys, data: data.Shape}
	s.before, s.here, _ = strings.Cut(v.Here, string(v.Request))
	if len(s.before)+len(s.here) > longestHere || slices.ContainsFunc(data.Random, func(value string) bool { return strings.Contains(s.here, value) }) {
		return shape{}, holes{}, false
	}
	for i, text := range h.texts {
		if text != "" {
			s.texts |= 1 << i
		}
	}
	if s.count > 0 {
		s.languages = &v.languages[0] // a list of the server, which never changes
	}
	return s, h, true
}

const (
	leastRandom = 16      // characters of a random value
	mostRandom  = 8 << 10 // so that a page is not kept for its address
	longestHere = 256
	mostKept    = 256 // pages
	mostTexts   = 64  // of a page
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
	pieces [][]byte // what is around the holes
	values []int    // which of them follows each piece but the last: the random values, then the texts
	first  holes    // of the first response
	// proven: another rendering, with other holes, was what fill returns.
	proven bool
	never  bool // it was not, so this page depends on more than its shape
}

// fill writes a kept page with other holes.
func (k *kept) fill(b *bytes.Buffer, h holes) {
	for i, piece := range k.pieces {
		b.Write(piece)
		if i == len(k.values) {
			return
		}
		if n := k.values[i]; n < len(h.random) {
			b.WriteString(h.random[n])
		} else {
			_, _ = escaped.WriteString(b, h.texts[n-len(h.random)])
		}
	}
}

// gives reports whether the kept page with these holes is a text.
func (k *kept) gives(text []byte, h holes) bool {
	var filled bytes.Buffer
	k.fill(&filled, h)
	return bytes.Equal(filled.Bytes(), text)
}

// escaped writes a text as html/template does, as HTML and in quoted attributes.
var escaped = strings.NewReplacer("\x00", "\uFFFD", `"`, "&#34;", "&", "&amp;", "'", "&#39;", "+", "&#43;", "<", "&lt;", ">", "&gt;")

// split takes a page apart.
func split(text []byte, h holes) *kept {
	all := slices.Clone(h.random)
	for _, text := range h.texts {
		all = append(all, escaped.Replace(text))
	}
	k := &kept{}
	for rest := bytes.Clone(text); ; {
		at, which := -1, 0
		for i, value := range all {
			if j := bytes.Index(rest, []byte(value)); value != "" && j >= 0 && (at < 0 || j < at) {
				at, which = j, i
			}
		}
		if at < 0 {
			k.pieces = append(k.pieces, rest)
			return k
		}
		k.pieces, k.values = append(k.pieces, rest[:at:at]), append(k.values, which)
		rest = rest[at+len(all[which]):]
	}
}

// probes returns a page with texts of the server in place of those of the user, and its holes. Nobody
// can guess them before the response, and each kind of place escapes them in another way.
func probes(v *Page, h holes, around string) (*Page, holes) {
	h.texts = slices.Clone(h.texts)
	for i, text := range h.texts {
		if text != "" {
			h.texts[i] = around + strconv.Itoa(i) + "-" + v.Nonce + "\x00\"&'+<>= `/%\u202e" + around
		}
	}
	with := *v
	with.Account, with.Data = h.texts[0], v.Data.(Data).With(h.texts[1:])
	return &with, h
}

// differ reports whether none of the random values is the same, and the texts are another user's.
func (h holes) differ(o holes) bool {
	same := func(a, b []string) bool {
		for i := range a {
			if a[i] == b[i] && a[i] != "" {
				return true
			}
		}
		return len(a) != len(b)
	}
	if same(h.random, o.random) {
		return false
	}
	if h.user != "" && o.user != "" {
		return h.user != o.user || strings.Join(h.texts, "") == ""
	}
	return h.user == o.user && !same(h.texts, o.texts)
}

// keeper keeps pages.
type keeper struct {
	mu  sync.RWMutex
	all map[shape]*kept // whose values do not change
}

// renderer writes a page by its template.
type renderer func(io.Writer, string, *Page) error

// write writes a page: a kept one, or else what render writes. A page is kept when two renderings,
// for two users, differed in nothing but their holes, so that a template may do what it likes with
// these.
func (k *keeper) write(b *bytes.Buffer, name string, v *Page, render renderer) error {
	s, h, ok := shapeOf(name, v)
	if !ok {
		return render(b, name, v)
	}
	k.mu.RLock()
	found := k.all[s]
	k.mu.RUnlock()
	if found != nil && found.proven {
		found.fill(b, h)
		return nil
	}
	if err := render(b, name, v); err != nil {
		return err
	}
	switch {
	case found == nil:
		k.put(s, cut(name, v, h, render))
	case !found.never && found.first.differ(h):
		var other bytes.Buffer
		page, probe := probes(v, h, "bc")
		if err := render(&other, name, page); err == nil && found.gives(b.Bytes(), h) && found.gives(other.Bytes(), probe) {
			k.put(s, &kept{pieces: found.pieces, values: found.values, proven: true})
		} else {
			k.put(s, &kept{never: true})
		}
	}
	return nil
}

// cut renders a page with texts of the server, and takes it apart where these stand: a name may be
// a word of the page.
func cut(name string, v *Page, h holes, render renderer) *kept {
	var text bytes.Buffer
	page, probe := probes(v, h, "a")
	if err := render(&text, name, page); err != nil {
		return &kept{never: true}
	}
	k := split(text.Bytes(), probe)
	k.first = holes{h.user, slices.Clone(h.random), slices.Clone(h.texts)}
	return k
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
