package ordered_test

import (
	"reflect"
	"testing"

	"sallyport/config/ordered"
)

func TestReadKeepsOrderAndFollowsAnchors(t *testing.T) {
	got, err := ordered.Read([]byte("z: &a {200: [one, 2, -3, 1.5, true, null], \"404\": x}\na: *a\nm:\n  <<: *a\n  k: |\n    text\n    more\n"))
	if err != nil {
		t.Fatal(err)
	}
	shared := ordered.Map{{Key: "200", Value: []any{"one", uint64(2), int64(-3), 1.5, true, nil}}, {Key: "404", Value: "x"}}
	want := ordered.Map{{Key: "z", Value: shared}, {Key: "a", Value: shared},
		{Key: "m", Value: append(append(ordered.Map{}, shared...), ordered.Pair{Key: "k", Value: "text\nmore\n"})}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %#v\nwant %#v", got, want)
	}
	if v := want.Get("a"); !reflect.DeepEqual(v, shared) || want.Get("b") != nil {
		t.Errorf("get = %#v", v)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{"an open bracket": "a: [1", "an unknown anchor": "a: *b", "a key twice": "a: 1\na: 2"} {
		if v, err := ordered.Read([]byte(text)); err == nil {
			t.Errorf("%s is read as %#v", name, v)
		}
	}
}
