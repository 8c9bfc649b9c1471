package api

import (
	"testing"

	"sallyport/web"
)

func TestMembersHaveTheirType(t *testing.T) {
	members, err := web.Object([]byte(`{"text":"a","empty":"","number":1,"null":null,"yes":true,"list":["a","b"],"mixed":["a",1]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		read  func(in *input)
		wrong string
	}{
		{"text", func(in *input) { in.text("text") }, ""},
		{"left out", func(in *input) { in.text("none") }, ""},
		{"a name in another case is another name", func(in *input) { in.must("Text") }, "Text"},
		{"empty", func(in *input) { in.must("empty") }, "empty"},
		{"a number", func(in *input) { in.text("number") }, "number"},
		{"null", func(in *input) { in.text("null") }, "null"},
		{"a list", func(in *input) { in.text("list") }, "list"},
		{"the first counts", func(in *input) { in.text("null"); in.text("number") }, "null"},
		{"true", func(in *input) { in.truth("yes") }, ""},
		{"true as text", func(in *input) { in.truth("text") }, "text"},
		{"true left out", func(in *input) { in.truth("none") }, "none"},
		{"texts", func(in *input) { in.texts("list") }, ""},
		{"one text", func(in *input) { in.texts("text") }, ""},
		{"not only texts", func(in *input) { in.texts("mixed") }, "mixed"},
	} {
		in := &input{members: members}
		if tc.read(in); in.wrong != tc.wrong {
			t.Errorf("%s: wrong = %q, want %q", tc.name, in.wrong, tc.wrong)
		}
	}
}
