package bench

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sallyport/storage"
)

// Rows are copies of those that a server wrote for one user: COPY sends them as text, with
// other identifiers, names, times and sealed secrets in place of the first ones.
type (
	// stencil is a row in pieces.
	stencil struct {
		pieces []piece
		of     *town
	}
	// piece is text, or what differs from row to row.
	piece struct {
		kind pieceKind
		text string // of literal; the first user's identifier
		at   int64  // of moment: microseconds
	}
	pieceKind int
)

const (
	literal pieceKind = iota
	ordered           // a time-ordered identifier
	random            // a random identifier
	name
	moment
	secret
)

// firstName is the user whose rows are copied.
var firstName = userName(0)

var varying = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b1[0-9]{15}\b|` + firstName)

// newStencil cuts a row. The sealed value in it, if there is one, is the password of the user.
func (t *town) newStencil(row, sealed string) stencil {
	s := stencil{of: t}
	add := func(kind pieceKind, text string) { s.pieces = append(s.pieces, piece{kind: kind, text: text}) }
	rest := func(text string) {
		for {
			at := varying.FindStringIndex(text)
			if at == nil {
				add(literal, text)
				return
			}
			add(literal, text[:at[0]])
			switch found := text[at[0]:at[1]]; {
			case found == firstName:
				add(name, "")
			case len(found) == 16:
				us, _ := strconv.ParseInt(found, 10, 64)
				s.pieces = append(s.pieces, piece{kind: moment, at: us})
			case found[14] == '7' && found[:4] == storage.TimeOrdered(t.first, zeros{})[:4]:
				add(ordered, found)
			default:
				add(random, found)
			}
			text = text[at[1]:]
		}
	}
	if before, after, found := strings.Cut(row, sealed); found && sealed != "" {
		rest(before)
		add(secret, "")
		rest(after)
		return s
	}
	rest(row)
	return s
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// noise is what a copy's identifier has in place of randomness: it depends on the first user's
// identifier and the number of the copy.
func noise(id string, i int) (a, b uint64) {
	h := uint64(14695981039346656037)
	for _, c := range []byte(id) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return mix(h ^ mix(uint64(i)+1)), mix(h + mix(uint64(i)+2))
}

type noiseReader struct {
	id string
	i  int
}

func (n noiseReader) Read(b []byte) (int, error) {
	x, y := noise(n.id, n.i)
	for k := range b {
		if k == 8 {
			x = y
		}
		b[k] = byte(x >> (8 * (k % 8)))
	}
	return len(b), nil
}

// randomOf returns the copy of a random identifier. Copies are in order, for the locality of
// the fill, and as evenly distributed as random ones.
func (t *town) randomOf(id string, i int) string {
	x, y := noise(id, i)
	step := math.MaxUint64 / uint64(t.size)
	x = uint64(i)*step + x%step
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", x>>32, x>>16&0xffff, x&0xffff, y>>48, y&(1<<48-1))
}

// orderedOf returns the copy of a time-ordered identifier.
func orderedOf(id string, i int, at time.Time) string {
	return storage.TimeOrdered(at, noiseReader{id, i})
}

// write appends a copy of the row, at another time.
func (s stencil) write(b *bytes.Buffer, i int, later time.Duration) error {
	for _, p := range s.pieces {
		switch p.kind {
		case literal:
			b.WriteString(p.text)
		case ordered:
			b.WriteString(orderedOf(p.text, i, s.of.first.Add(later)))
		case random:
			b.WriteString(s.of.randomOf(p.text, i))
		case name:
			b.WriteString(userName(i))
		case moment:
			fmt.Fprint(b, p.at+later.Microseconds())
		case secret:
			sealed, err := s.of.seal(i)
			if err != nil {
				return err
			}
			b.WriteString(`\\x`)
			b.WriteString(hex.EncodeToString(sealed))
		}
	}
	return nil
}

// seal seals the password of a copy.
func (t *town) seal(i int) ([]byte, error) {
	row := t.randomOf(t.user, i) + "/" + t.randomOf(t.authenticator, i)
	return t.server.Keyring.Seal("authenticator:password", row, t.password)
}

// sample returns the rows of a query as COPY writes them.
func (t *town) sample(ctx context.Context, query string) ([]string, error) {
	var out bytes.Buffer
	if _, err := t.conn.PgConn().CopyTo(ctx, &out, "COPY ("+query+") TO STDOUT"); err != nil {
		return nil, err
	}
	rows := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if rows[0] == "" {
		return nil, fmt.Errorf("%s: no row", query)
	}
	return rows, nil
}

// batch is what one COPY statement sends, so that a failure is noticed and no transaction lasts
// for minutes.
const batch = 500_000

// copies writes copies from..to-1 into a table, each from the next of some stencils. later
// returns the time of a copy after the first user.
func (t *town) copies(ctx context.Context, table string, of []stencil, from, to int, later func(i int) time.Duration) error {
	conn, err := pgx.Connect(ctx, t.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	// Foreign keys are true of copies as they are of the first user.
	if _, err := conn.Exec(ctx, "SET session_replication_role = replica"); err != nil {
		return err
	}
	for ; from < to; from += batch {
		in, out := io.Pipe()
		go func() {
			var b bytes.Buffer
			for i := from; i < min(to, from+batch); i++ {
				if err := of[i%len(of)].write(&b, i, later(i)); err != nil {
					_ = out.CloseWithError(err)
					return
				}
				b.WriteByte('\n')
				if b.Len() > 1<<16 {
					if _, err := out.Write(b.Bytes()); err != nil {
						return
					}
					b.Reset()
				}
			}
			_, err := out.Write(b.Bytes())
			_ = out.CloseWithError(err)
		}()
		if _, err := conn.PgConn().CopyFrom(ctx, in, "COPY "+table+" FROM STDIN"); err != nil {
			return errors.Join(fmt.Errorf("fill %s: %w", table, err), in.Close())
		}
	}
	return nil
}
