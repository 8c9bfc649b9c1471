package relational

import "testing"

// TestStatementsAreExpandedForTheirDriver: lists of another length, another driver and a
// condition are other texts, also where the text is one that was expanded before.
func TestStatementsAreExpandedForTheirDriver(t *testing.T) {
	const text = "UPDATE t SET a = ? WHERE b IN ? AND c = ?"
	lite, pg := &statements{}, &statements{numbered: true}
	two := []any{"x", [][]byte{{1}, {2}}, int64(3)}
	for range 2 { // the second time from the cache
		for _, c := range []struct {
			s    *statements
			args []any
			want string
		}{
			{lite, two, "UPDATE t SET a = ? WHERE b IN (?,?) AND c = ?"},
			{lite, []any{"x", []string{}, int64(3)}, "UPDATE t SET a = ? WHERE b IN (NULL) AND c = ?"},
			{pg, two, "UPDATE t SET a = $1 WHERE b IN ($2,$3) AND c = $4"},
			{pg, []any{"x", []string{"y"}, int64(3)}, "UPDATE t SET a = $1 WHERE b IN ($2) AND c = $3"},
			{pg, []any{"x", []any{}, int64(3)}, "UPDATE t SET a = $1 WHERE b IN (NULL) AND c = $2"},
		} {
			got, values, err := c.s.expand(text, c.args)
			if err != nil || got != c.want {
				t.Errorf("expand %v = %q, %v, want %q", c.args, got, err, c.want)
			}
			if first, last := values[0], values[len(values)-1]; first != "x" || last != int64(3) {
				t.Errorf("expand %v has the values %v", c.args, values)
			}
		}
		got, _, err := pg.mustChange(text, two)
		if want := mustChange("UPDATE t SET a = $1 WHERE b IN ($2,$3) AND c = $4"); err != nil || got != want {
			t.Errorf("mustChange = %q, %v, want %q", got, err, want)
		}
	}
	if got := len(pg.texts); got != 4 {
		t.Errorf("%d texts are kept, want 4", got)
	}
}

// TestInsertsHaveARowForEach: another number of rows, table or ending is another text.
func TestInsertsHaveARowForEach(t *testing.T) {
	s := &statements{}
	for range 2 { // the second time from the cache
		for want, key := range map[string]inserting{
			"INSERT INTO t (a) VALUES (?) ":                         {into: "t (a)", rows: 1, columns: 1},
			"INSERT INTO t (a, b) VALUES (?,?),(?,?) ":              {into: "t (a, b)", rows: 2, columns: 2},
			"INSERT INTO t (a, b) VALUES (?,?) ON CONFLICT NOTHING": {into: "t (a, b)", rows: 1, columns: 2, ending: "ON CONFLICT NOTHING"},
		} {
			if got := s.insert(key); got != want {
				t.Errorf("%+v = %q, want %q", key, got, want)
			}
		}
	}
}
