package storagetest

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// shortest is the minimum length of a pattern: shorter ones match by chance.
const shortest = 6

// spelling is one encoding of a secret.
type spelling struct {
	name string
	text []byte
}

// spellings returns the known encodings of a secret and of the bytes it may encode.
func spellings(secret string) []spelling {
	var out []spelling
	byForm := forms(secret)
	for _, form := range slices.Sorted(maps.Keys(byForm)) {
		for _, s := range spelled(byForm[form]) {
			if len(s.text) >= shortest {
				out = append(out, spelling{form + s.name, s.text})
			}
		}
	}
	return out
}

// forms returns a secret's text and, if it is an encoding, what it encodes.
func forms(secret string) map[string][]byte {
	out := map[string][]byte{"": []byte(secret)}
	if digits(secret) {
		return out
	}
	bare := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, secret)
	if bare != secret {
		out["without dashes, "] = []byte(bare)
	}
	add := func(name string, raw []byte, err error) {
		if err == nil && len(raw) >= 2*shortest {
			out["the bytes of "+name+", "] = raw
		}
	}
	raw, err := hex.DecodeString(bare)
	add("hex", raw, err)
	raw, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(secret, "="))
	add("base64url", raw, err)
	raw, err = base64.StdEncoding.DecodeString(secret)
	add("base64", raw, err)
	raw, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(bare))
	add("base32", raw, err)
	return out
}

func spelled(b []byte) []spelling {
	text := string(b)
	lower := hex.EncodeToString(b)
	quoted, _ := json.Marshal(text) // text is always JSON
	out := []spelling{
		{"as it is", b}, {"hex", []byte(lower)}, {"HEX", []byte(strings.ToUpper(lower))},
		{"in JSON", bytes.Trim(quoted, `"`)}, {"in a Go string", []byte(strings.Trim(strconv.Quote(text), `"`))}, {"in HTML", []byte(html.EscapeString(text))},
		{"in a query", []byte(url.QueryEscape(text))}, {"in a path", []byte(url.PathEscape(text))},
		{"percent", each(b, "%%%02x", "")}, {"PERCENT", each(b, "%%%02X", "")}, {"\\x", each(b, "\\x%02x", "")}, {"\\u", each(b, "\\u%04x", "")},
		{"numbers", each(b, "%d", " ")}, {"numbers, with commas", each(b, "%d", ",")}, {"numbers, with commas and spaces", each(b, "%d", ", ")},
		{"hex numbers", each(b, "%02x", " ")}, {"hex numbers of Go", each(b, "0x%x", ", ")},
	}
	if len(b) >= 2*shortest {
		back := slices.Clone(b)
		slices.Reverse(back)
		out = append(out, spelling{"backwards", back})
	}
	little, big := []byte{}, []byte{}
	for _, u := range utf16.Encode([]rune(text)) {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	out = append(out, spelling{"UTF-16LE", little}, spelling{"UTF-16BE", big})
	for name, encode := range map[string]func([]byte) string{"base64": base64.RawStdEncoding.EncodeToString, "base64url": base64.RawURLEncoding.EncodeToString} {
		out = append(out, aligned(name, b, 6, 3, encode)...)
	}
	out = append(out, aligned("base32", b, 5, 5, base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString)...)
	for _, s := range aligned("base32 in lower case", b, 5, 5, base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString) {
		out = append(out, spelling{s.name, bytes.ToLower(s.text)})
	}
	return out
}

func each(b []byte, format, between string) []byte {
	parts := make([]string, len(b))
	for i, x := range b {
		parts[i] = fmt.Sprintf(format, x)
	}
	return []byte(strings.Join(parts, between))
}

// aligned returns an encoding with so many bits per letter for every alignment of the
// secret, without letters that depend on neighbouring bytes.
func aligned(name string, b []byte, bits, group int, encode func([]byte) string) []spelling {
	var out []spelling
	for before := range group {
		text := encode(append(make([]byte, before), b...))
		first, last := (before*8+bits-1)/bits, (before+len(b))*8/bits
		out = append(out, spelling{fmt.Sprintf("%s at %d", name, before), []byte(text[first:last])})
	}
	return out
}

// digits reports whether s is a code of an app.
func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Pattern is one encoding of one secret.
type Pattern struct {
	Secret, Spelling string
	Text             []byte
	whole            bool // match only between non-alphanumerics, for short numbers
}

// Index finds many patterns in one pass.
type Index struct {
	heads map[[shortest]byte][]int
	first []uint64 // a bit for the first three bytes of each pattern
	all   []Pattern
}

// NewIndex returns an Index of every encoding of secrets.
func NewIndex(secrets []string) *Index {
	x := &Index{heads: map[[shortest]byte][]int{}, first: make([]uint64, 1<<24/64)}
	seen := map[string]bool{}
	for _, secret := range secrets {
		for _, s := range spellings(secret) {
			if seen[string(s.text)] {
				continue
			}
			seen[string(s.text)] = true
			head := [shortest]byte(s.text)
			x.heads[head] = append(x.heads[head], len(x.all))
			word, bit := beginning(head[:])
			x.first[word] |= bit
			x.all = append(x.all, Pattern{secret, s.name, s.text, digits(string(s.text))})
		}
	}
	return x
}

func beginning(b []byte) (word int, bit uint64) {
	return int(b[0])<<10 | int(b[1])<<2 | int(b[2]>>6), 1 << (b[2] & 63)
}

// Hit is an occurrence of a pattern.
type Hit struct {
	Pattern
	At int
}

// Size returns the number of patterns.
func (x *Index) Size() int { return len(x.all) }

// Search returns the occurrences of patterns in data. It shares nothing with other goroutines, and
// goes over gigabytes: the race detector would look at every byte.
//
//go:norace
func (x *Index) Search(data []byte) []Hit {
	var out []Hit
	for i := 0; i+shortest <= len(data); i++ {
		if word, bit := beginning(data[i:]); x.first[word]&bit == 0 {
			continue
		}
		for _, n := range x.heads[[shortest]byte(data[i:])] {
			p := x.all[n]
			if bytes.HasPrefix(data[i:], p.Text) && (!p.whole || alone(data, i, i+len(p.Text))) {
				out = append(out, Hit{p, i})
			}
		}
	}
	return out
}

func alone(data []byte, from, to int) bool {
	return (from == 0 || !isWordByte(data[from-1])) && (to == len(data) || !isWordByte(data[to]))
}

func isWordByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
