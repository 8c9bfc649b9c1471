// Package country says which country an address is in, by a file of the operator. It knows nothing
// of users: what a country means for a login is decided where the login is.
package country

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"sallyport/input"
)

// File is a file of networks and their countries, held in memory. Goroutines may share it.
type File struct {
	path    string
	current atomic.Pointer[table]
}

// table has the networks of a file, sorted. A country database has about 400,000 networks of IPv4
// and 300,000 of IPv6, so a network takes 12 or 34 bytes and no pointer.
type table struct {
	v4 []span[[4]byte]
	v6 []span[[16]byte]
}

type span[A any] struct {
	first, last A
	code        [2]byte
}

// Open reads a file: a line for each network, `192.0.2.0/24,DE`, or for each range,
// `192.0.2.0,192.0.2.255,DE`, with the code of ISO 3166-1 in upper case. Fields may be quoted, and
// lines that begin with # are comments. Of `ZZ` and `-` no country is known. Networks must not
// overlap: which of two is meant would depend on who made the file.
func Open(path string) (*File, error) {
	f := &File{path: path}
	return f, f.Load()
}

// Load reads the file again. An error keeps what was read before.
func (f *File) Load() error {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	t, err := parse(bytes.NewReader(input.WithoutMark(text)))
	if err != nil {
		return err
	}
	f.current.Store(t)
	return nil
}

// Of returns the country of an address; "": not known. A nil file knows none.
func (f *File) Of(address string) string {
	if f == nil {
		return ""
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	t := f.current.Load()
	if a = a.Unmap(); a.Is4() {
		return find(t.v4, a.As4(), func(x, y [4]byte) int { return bytes.Compare(x[:], y[:]) })
	}
	return find(t.v6, a.As16(), func(x, y [16]byte) int { return bytes.Compare(x[:], y[:]) })
}

func find[A any](spans []span[A], a A, compare func(x, y A) int) string {
	i, exact := slices.BinarySearchFunc(spans, a, func(s span[A], a A) int { return compare(s.first, a) })
	if !exact {
		i-- // the last that begins before
	}
	if i < 0 || compare(a, spans[i].last) > 0 {
		return ""
	}
	return string(spans[i].code[:])
}

func parse(text io.Reader) (*table, error) {
	r := csv.NewReader(text)
	r.Comment, r.FieldsPerRecord, r.ReuseRecord, r.TrimLeadingSpace = '#', -1, true, true
	var t table
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := t.add(fields); err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if len(t.v4)+len(t.v6) == 0 {
		return nil, errors.New("has no network")
	}
	return &t, errors.Join(
		sorted(t.v4, func(x, y [4]byte) int { return bytes.Compare(x[:], y[:]) }, func(a [4]byte) netip.Addr { return netip.AddrFrom4(a) }),
		sorted(t.v6, func(x, y [16]byte) int { return bytes.Compare(x[:], y[:]) }, func(a [16]byte) netip.Addr { return netip.AddrFrom16(a) }))
}

// add adds the network of a line.
func (t *table) add(fields []string) error {
	if len(fields) != 2 && len(fields) != 3 {
		return fmt.Errorf("has %d fields, want a network and a country, or two addresses and a country", len(fields))
	}
	first, last, err := ends(fields[:len(fields)-1])
	if err != nil {
		return err
	}
	var code [2]byte
	switch c := strings.TrimSpace(fields[len(fields)-1]); {
	case c == "ZZ" || c == "-" || c == "":
		return nil
	case len(c) != 2 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return fmt.Errorf("the country %q is not two upper-case letters", c)
	default:
		copy(code[:], c)
	}
	if first.Is4() {
		t.v4 = append(t.v4, span[[4]byte]{first.As4(), last.As4(), code})
		return nil
	}
	t.v6 = append(t.v6, span[[16]byte]{first.As16(), last.As16(), code})
	return nil
}

// ends returns the first and last address of a network, or of a range.
func ends(fields []string) (first, last netip.Addr, err error) {
	if len(fields) == 1 {
		p, err := netip.ParsePrefix(strings.TrimSpace(fields[0]))
		if err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return first, last, fmt.Errorf("%q is not a network such as 192.0.2.0/24 or 2001:db8::/32", fields[0])
		}
		return p.Addr(), lastOf(p), nil
	}
	first, err = netip.ParseAddr(strings.TrimSpace(fields[0]))
	if err == nil {
		last, err = netip.ParseAddr(strings.TrimSpace(fields[1]))
	}
	if err != nil || first.Zone() != "" || last.Zone() != "" || first.BitLen() != last.BitLen() || first.Is4In6() || last.Less(first) {
		return first, last, fmt.Errorf("%q to %q is no range of addresses", fields[0], fields[1])
	}
	return first, last, nil
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// sorted sorts networks. It returns an error if two overlap.
func sorted[A any](spans []span[A], compare func(x, y A) int, show func(A) netip.Addr) error {
	slices.SortFunc(spans, func(x, y span[A]) int { return cmp.Or(compare(x.first, y.first), compare(x.last, y.last)) })
	for i := 1; i < len(spans); i++ {
		if compare(spans[i].first, spans[i-1].last) <= 0 {
			return fmt.Errorf("two networks overlap at %s", show(spans[i].first))
		}
	}
	return nil
}
