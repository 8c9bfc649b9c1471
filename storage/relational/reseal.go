package relational

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"sallyport/storage"
)

// sealedColumn is a column of what package seal wrote. A new one belongs into
// sealedColumns; TestResealFindsEverySealedColumn looks for forgotten ones.
type sealedColumn struct {
	table, column string
	// place orders the rows and finds one of them again; kinds are its PostgreSQL types.
	place, kinds []string
	// label is what the purpose is made of, as a column or a constant.
	label string
	// open names purpose and row of what is sealed.
	open func(label string, place []any) (purpose, row string)
	// hashed is the column that holds the keyed hash of what is sealed, if there is one.
	hashed string
}

func sealedColumns() []sealedColumn {
	byHash := func(label string, place []any) (string, string) { return label, hex.EncodeToString(place[0].([]byte)) }
	return []sealedColumn{
		{table: "authenticators", column: "secret", place: []string{"user_id", "id"}, kinds: []string{"uuid", "uuid"}, label: "method",
			open: func(label string, place []any) (string, string) {
				return authenticatorLabel + label, secretRow(storage.UserID(place[0].(string)), storage.AuthenticatorID(place[1].(string)))
			}},
		{table: "recovery_codes", column: "sealed", place: []string{"authenticator_id", "position", "user_id"}, kinds: []string{"uuid", "bigint", "uuid"},
			label: "''", hashed: "hash",
			open: func(_ string, place []any) (string, string) {
				return recoveryLabel, recoveryRow(storage.UserID(place[2].(string)), storage.AuthenticatorID(place[0].(string)), place[1].(int64))
			}},
		{table: "auth_requests", column: "params", place: []string{"hash"}, kinds: []string{"bytea"}, label: "'" + requestLabel + "'", open: byHash},
		{table: "auth_requests", column: "track_request", place: []string{"track"}, kinds: []string{"bytea"}, label: "'" + trackLabel + "'", open: byHash},
		{table: "statuses", column: "sealed", place: []string{"hash"}, kinds: []string{"bytea"}, label: "'" + statusLabel + "'", open: byHash},
		{table: "outbox", column: "sealed", place: []string{"id"}, kinds: []string{"uuid"}, label: "'" + outboxLabel + "'",
			open: func(label string, place []any) (string, string) { return label, place[0].(string) }},
	}
}

// Resealing tells how far the work on a column is.
type Resealing struct {
	Column  string // table.column
	Read    int    // rows looked at
	Written int    // of them written anew
	Broken  int    // of them such that do not open, whose places are in the log
}

// Reseal writes every sealed column anew under the newest data key, and recovery
// codes under the newest hash key besides, while servers work: it reads limit rows
// and writes them in one short transaction, each only if it is still what was read.
// told hears of every such step.
func (e *Engine) Reseal(ctx context.Context, limit int, told func(Resealing)) error {
	for _, c := range sealedColumns() {
		at := Resealing{Column: c.table + "." + c.column}
		for after := []any(nil); ; {
			rows, err := e.sealedRows(ctx, c, after, page(limit))
			if err != nil {
				return err
			}
			written, broken, err := e.resealRows(ctx, c, rows)
			if err != nil {
				return err
			}
			at.Read, at.Written, at.Broken = at.Read+len(rows), at.Written+written, at.Broken+broken
			told(at)
			if len(rows) < page(limit) {
				break
			}
			after = rows[len(rows)-1].place
		}
	}
	return nil
}

// sealedRow is a value of a sealed column with where it is.
type sealedRow struct {
	place      []any
	label      text
	old, fresh []byte
	hash       []byte // as it is, and
	anew       []byte // as it shall be, where the column has a hash
}

func (e *Engine) sealedRows(ctx context.Context, c sealedColumn, after []any, limit int) ([]sealedRow, error) {
	names := strings.Join(c.place, ", ")
	where := c.column + " IS NOT NULL"
	if after != nil {
		where += " AND (" + names + ") > (" + strings.Join(e.typed(c.kinds), ", ") + ")"
	}
	selected := make([]string, len(c.place))
	for i, name := range c.place {
		selected[i] = name
		if c.kinds[i] == "uuid" {
			selected[i] = "CAST(" + name + " AS text)"
		}
	}
	hash := "NULL"
	if c.hashed != "" {
		hash = c.hashed
	}
	query := "SELECT " + strings.Join(selected, ", ") + ", " + c.label + ", " + c.column + ", " + hash + " FROM " + c.table +
		" WHERE " + where + " ORDER BY " + names + " LIMIT ?"
	var out []sealedRow
	err := e.read(ctx, "read "+c.table, func(q querier) error {
		out = nil
		return q.each(query, append(values(after), limit), func(rows scanner) error {
			r := sealedRow{place: make([]any, len(c.place))}
			dest := make([]any, 0, len(c.place)+3)
			for i := range r.place {
				dest = append(dest, &r.place[i])
			}
			if err := rows.Scan(append(dest, &r.label, &r.old, &r.hash)...); err != nil {
				return err
			}
			out = append(out, r)
			return nil
		})
	})
	return out, err
}

// values are arguments as GORM takes them: bytes are one value, not a list.
func values(in []any) []any {
	out := make([]any, 0, len(in)+1)
	for _, v := range in {
		if b, ok := v.([]byte); ok {
			v = blob(b)
		}
		out = append(out, v)
	}
	return out
}

// typed are placeholders. PostgreSQL has to be told what they are where nothing
// they are compared with says it; SQLite would take the name for a number.
func (e *Engine) typed(kinds []string) []string {
	out := make([]string, len(kinds))
	for i, kind := range kinds {
		out[i] = "?"
		if e.dialect == postgresDialect {
			out[i] = "CAST(? AS " + kind + ")"
		}
	}
	return out
}

// resealRows writes the rows that are not under the newest keys in one statement.
func (e *Engine) resealRows(ctx context.Context, c sealedColumn, rows []sealedRow) (written, broken int, err error) {
	var stale []sealedRow
	for _, r := range rows {
		fits, err := e.reseal(c, &r)
		if err != nil {
			e.log.Error("sealed value does not open", "column", c.table+"."+c.column, "place", fmt.Sprint(named(r.place)))
			broken++
			continue
		}
		if !fits {
			stale = append(stale, r)
		}
	}
	if len(stale) == 0 {
		return 0, broken, nil
	}
	query, args := e.resealStatement(c, stale)
	err = e.write(ctx, "reseal "+c.table, func(q querier) error {
		n, err := q.exec(query, args...)
		written = int(n)
		return err
	})
	return written, broken, err
}

func named(place []any) []string {
	out := make([]string, len(place))
	for i, v := range place {
		if b, ok := v.([]byte); ok {
			v = hex.EncodeToString(b)
		}
		out[i] = fmt.Sprint(v)
	}
	return out
}

// reseal fills in what a row shall hold; fits says that it does already.
func (e *Engine) reseal(c sealedColumn, r *sealedRow) (fits bool, err error) {
	purpose, row := c.open(string(r.label), r.place)
	plain, err := e.keyring.Open(purpose, row, r.old)
	if err != nil {
		return false, err
	}
	fits = e.keyring.SealedByCurrent(r.old)
	if r.fresh = r.old; !fits {
		if r.fresh, err = e.keyring.Seal(purpose, row, plain); err != nil {
			return false, err
		}
	}
	if c.hashed != "" {
		r.anew = e.keyring.Hash(recoveryLabel+r.place[2].(string), string(plain))
		fits = fits && string(r.anew) == string(r.hash)
	}
	return fits, nil
}

func (e *Engine) resealStatement(c sealedColumn, rows []sealedRow) (string, []any) {
	names := []string{"old", "fresh"}
	kinds := []string{"bytea", "bytea"}
	set := c.column + " = v.fresh"
	match := []string{c.table + "." + c.column + " = v.old"}
	for i, name := range c.place {
		key := fmt.Sprintf("k%d", i)
		names, kinds = append(names, key), append(kinds, c.kinds[i])
		match = append(match, c.table+"."+name+" = v."+key)
	}
	if c.hashed != "" {
		names, kinds = append(names, "was", "anew"), append(kinds, "bytea", "bytea")
		set += ", " + c.hashed + " = v.anew"
		match = append(match, c.table+"."+c.hashed+" = v.was")
	}
	one := "(" + strings.Join(e.typed(kinds), ", ") + ")"
	var args []any
	for _, r := range rows {
		args = append(append(args, blob(r.old), blob(r.fresh)), values(r.place)...)
		if c.hashed != "" {
			args = append(args, blob(r.hash), blob(r.anew))
		}
	}
	return "WITH v (" + strings.Join(names, ", ") + ") AS (VALUES " + one + strings.Repeat(", "+one, len(rows)-1) + ") UPDATE " + c.table +
		" SET " + set + " FROM v WHERE " + strings.Join(match, " AND "), args
}

// SealedUnder counts the values of every sealed column under a data key, by column.
func (e *Engine) SealedUnder(ctx context.Context, id storage.KeyID) (map[string]int, error) {
	raw, _ := storage.Bytes(id)
	out := map[string]int{}
	for _, c := range sealedColumns() {
		err := e.scan(ctx, c, func(r sealedRow) {
			if len(r.old) >= 17 && string(r.old[1:17]) == string(raw[:]) {
				out[c.table+"."+c.column]++
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// HashedUnder counts the recovery codes that no other key than this one finds.
func (e *Engine) HashedUnder(ctx context.Context, id storage.KeyID) (int, error) {
	n := 0
	for _, c := range sealedColumns() {
		if c.hashed == "" {
			continue
		}
		err := e.scan(ctx, c, func(r sealedRow) {
			purpose, row := c.open(string(r.label), r.place)
			plain, err := e.keyring.Open(purpose, row, r.old)
			if err == nil && string(e.keyring.HashBy(id, recoveryLabel+r.place[2].(string), string(plain))) == string(r.hash) {
				n++
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// EachSecret calls see with every secret of a method that opens.
func (e *Engine) EachSecret(ctx context.Context, method string, see func(secret []byte)) error {
	c := sealedColumns()[0]
	return e.scan(ctx, c, func(r sealedRow) {
		if string(r.label) != method {
			return
		}
		purpose, row := c.open(method, r.place)
		if plain, err := e.keyring.Open(purpose, row, r.old); err == nil {
			see(plain)
		}
	})
}

// scan reads a sealed column in pages.
func (e *Engine) scan(ctx context.Context, c sealedColumn, see func(sealedRow)) error {
	const limit = 1000
	for after := []any(nil); ; {
		rows, err := e.sealedRows(ctx, c, after, limit)
		if err != nil {
			return err
		}
		for _, r := range rows {
			see(r)
		}
		if len(rows) < limit {
			return nil
		}
		after = rows[len(rows)-1].place
	}
}
