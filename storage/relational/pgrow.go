package relational

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// pgRow is a row of a result of PostgreSQL in binary format. It is valid until the next one.
type pgRow struct {
	fields []pgconn.FieldDescription
	values [][]byte
}

// Scan implements scanner.
func (r pgRow) Scan(dest ...any) error {
	if len(dest) != len(r.values) || len(dest) != len(r.fields) {
		return fmt.Errorf("%d columns for %d values", len(r.values), len(dest))
	}
	for i, d := range dest {
		if err := scanBinary(d, r.fields[i].DataTypeOID, r.values[i]); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// scanBinary decodes a value; nil is NULL, which text and number take for "" and 0.
func scanBinary(dest any, oid uint32, v []byte) error {
	ok := true
	switch d := dest.(type) {
	case nil: // not needed
	case *text:
		*d, ok = text(v), isText(oid)
	case *number:
		var n int64
		if v != nil {
			n, ok = integerOf(oid, v)
		}
		*d = number(n)
	case *[]byte:
		*d, ok = slices.Clone(v), oid == pgtype.ByteaOID
	case sql.Scanner:
		value, err := valueOf(oid, v)
		if err != nil {
			return err
		}
		return d.Scan(value)
	case *string:
		*d, ok = string(v), v != nil && isText(oid)
	case *int64:
		*d, ok = integerOf(oid, v)
	case *bool:
		ok = v != nil && oid == pgtype.BoolOID && len(v) == 1
		*d = ok && v[0] != 0
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%T does not take %d bytes of type %d", dest, len(v), oid)
	}
	return nil
}

// valueOf is a value as package sql has it.
func valueOf(oid uint32, v []byte) (any, error) {
	switch {
	case v == nil:
		return nil, nil
	case isText(oid):
		return string(v), nil
	case oid == pgtype.ByteaOID:
		return slices.Clone(v), nil
	case oid == pgtype.BoolOID && len(v) == 1:
		return v[0] != 0, nil
	}
	if n, ok := integerOf(oid, v); ok {
		return n, nil
	}
	return nil, fmt.Errorf("%d bytes of type %d", len(v), oid)
}

func isText(oid uint32) bool {
	return oid == pgtype.TextOID || oid == pgtype.VarcharOID || oid == pgtype.NameOID || oid == pgtype.UnknownOID
}

func integerOf(oid uint32, v []byte) (int64, bool) {
	switch {
	case oid == pgtype.Int8OID && len(v) == 8:
		return int64(binary.BigEndian.Uint64(v)), true
	case oid == pgtype.Int4OID && len(v) == 4:
		return int64(int32(binary.BigEndian.Uint32(v))), true
	case oid == pgtype.Int2OID && len(v) == 2:
		return int64(int16(binary.BigEndian.Uint16(v))), true
	}
	return 0, false
}
