package relational

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"sallyport/storage"
)

// sealedColumn is a column of values sealed by package seal. Add new ones to sealedColumns;
// TestResealFindsEverySealedColumn checks that it is complete.
type sealedColumn struct {
	table, column string
	// place orders and identifies the rows; kinds are its PostgreSQL types.
	place, kinds []string
	// label is the column or constant the purpose is built from.
	label string
	// open returns purpose and row of a sealed value.
	open func(label string, place []any) (purpose, row string)
	// hashed is the column with a keyed hash, if any, and secret what is hashed.
	hashed string
	secret func(label string, place []any, plain []byte) (purpose, value string)
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
			secret: func(_ string, place []any, plain []byte) (string, string) {
				return recoveryLabel + place[2].(string), string(plain)
			},
			open: func(_ string, place []any) (string, string) {
				return recoveryLabel, recoveryRow(storage.UserID(place[2].(string)), storage.AuthenticatorID(place[0].(string)), place[1].(int64))
			}},
		{table: "auth_requests", column: "params", place: []string{"hash"}, kinds: []string{"bytea"}, label: "'" + requestLabel + "'", open: byHash},
		{table: "auth_requests", column: "track_request", place: []string{"track"}, kinds: []string{"bytea"}, label: "'" + trackLabel + "'", open: byHash},
		{table: "pushed_requests", column: "params", place: []string{"hash"}, kinds: []string{"bytea"}, label: "'" + pushedLabel + "'", open: byHash},
		{table: "polled_requests", column: "details", place: []string{"id"}, kinds: []string{"uuid"}, label: "'" + polledLabel + "'",
			open: func(label string, place []any) (string, string) { return label, place[0].(string) }},
		{table: "statuses", column: "sealed", place: []string{"hash"}, kinds: []string{"bytea"}, label: "'" + statusLabel + "'", open: byHash},
		{table: "tickets", column: "sealed", place: []string{"id"}, kinds: []string{"uuid"}, label: "purpose", hashed: "link",
			secret: func(purpose string, _ []any, plain []byte) (string, string) {
				link, _ := ticketSecrets(plain)
				return ticketLabel + purpose, link
			},
			open: func(purpose string, place []any) (string, string) { return ticketLabel + purpose, place[0].(string) }},
		{table: "clients", column: "secrets", place: []string{"id"}, kinds: []string{"text"}, label: "'" + clientLabel + "'",
			open: func(label string, place []any) (string, string) { return label, place[0].(string) }},
		{table: "outbox", column: "sealed", place: []string{"id"}, kinds: []string{"uuid"}, label: "'" + outboxLabel + "'",
			open: func(label string, place []any) (string, string) { return label, place[0].(string) }},
	}
}

// ResealProgress is the progress of Reseal on a column.
type ResealProgress struct {
	Column  string // table.column
	Read    int    // rows read
	Written int    // of them resealed
	Broken  int    // of them rows that do not open, logged by place
}

// Reseal reseals every sealed column under the newest data key, and rehashes recovery codes and
// links under the newest hash key, while servers run. It reads limit rows at a time and writes
// them in one short transaction, skipping rows changed in between. It calls report after
// each.
func (e *Engine) Reseal(ctx context.Context, limit int, report func(ResealProgress)) error {
	for _, c := range sealedColumns() {
		at := ResealProgress{Column: c.table + "." + c.column}
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
			report(at)
			if len(rows) < page(limit) {
				break
			}
			after = rows[len(rows)-1].place
		}
	}
	return nil
}

// sealedRow is a value of a sealed column with its place.
type sealedRow struct {
	place      []any
	label      text
	old, fresh []byte
	hash       []byte // current
	newHash    []byte // if the column has a hash
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

// values returns arguments for GORM, which takes plain byte slices for lists.
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

// typed returns placeholders, cast to their types for PostgreSQL, which cannot infer them
// here. SQLite would misread the type name.
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

// resealRows reseals the rows that are not under the newest keys, in one statement.
func (e *Engine) resealRows(ctx context.Context, c sealedColumn, rows []sealedRow) (written, broken int, err error) {
	var stale []sealedRow
	for _, r := range rows {
		current, err := e.reseal(c, &r)
		if err != nil {
			e.log.Error("sealed value does not open", "column", c.table+"."+c.column, "place", fmt.Sprint(named(r.place)))
			broken++
			continue
		}
		if !current {
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

// reseal sets the new values of a row; current reports that it needs none.
func (e *Engine) reseal(c sealedColumn, r *sealedRow) (current bool, err error) {
	purpose, row := c.open(string(r.label), r.place)
	plain, err := e.keyring.Open(purpose, row, r.old)
	if err != nil {
		return false, err
	}
	current = e.keyring.SealedByCurrent(r.old)
	if r.fresh = r.old; !current {
		if r.fresh, err = e.keyring.Seal(purpose, row, plain); err != nil {
			return false, err
		}
	}
	if c.hashed != "" {
		purpose, value := c.secret(string(r.label), r.place, plain)
		r.newHash = e.keyring.Hash(purpose, value)
		current = current && string(r.newHash) == string(r.hash)
	}
	return current, nil
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
			args = append(args, blob(r.hash), blob(r.newHash))
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

// HashedUnder counts the recovery codes and tickets that only this key finds. It does not count the
// typed codes of tickets, which cannot be hashed again: they end within the day.
func (e *Engine) HashedUnder(ctx context.Context, id storage.KeyID) (int, error) {
	n := 0
	for _, c := range sealedColumns() {
		if c.hashed == "" {
			continue
		}
		err := e.scan(ctx, c, func(r sealedRow) {
			purpose, row := c.open(string(r.label), r.place)
			plain, err := e.keyring.Open(purpose, row, r.old)
			if err != nil {
				return
			}
			if purpose, value := c.secret(string(r.label), r.place, plain); string(e.keyring.HashBy(id, purpose, value)) == string(r.hash) {
				n++
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// EachSecret calls see with every secret of a method, except those that do not open.
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
