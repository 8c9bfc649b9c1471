package relational

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestAnEmptyTextIsNotNull: also as the first value of all, when no buffer exists yet.
func TestAnEmptyTextIsNotNull(t *testing.T) {
	p := parametersPool.New().(*parameters)
	for _, v := range []any{"", []byte{}, nil} {
		if err := p.add(v, pgtype.TextOID); err != nil {
			t.Fatal(err)
		}
	}
	if p.values[0] == nil || p.values[1] == nil || p.values[2] != nil {
		t.Errorf("values = %#v, want two that are empty and NULL", p.values)
	}
}
