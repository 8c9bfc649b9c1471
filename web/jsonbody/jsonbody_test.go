package jsonbody_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"sallyport/web"
	"sallyport/web/jsonbody"
)

func TestMembersHaveTheirType(t *testing.T) {
	members, err := jsonbody.Parse([]byte(`{"text":"a","empty":"","number":1,"null":null,"yes":true,"list":["a","b"],"mixed":["a",1],"at":"2027-01-31T18:00:00Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		read   func(o *jsonbody.Object)
		faulty string
	}{
		{"text", func(o *jsonbody.Object) { o.Text("text") }, ""},
		{"left out", func(o *jsonbody.Object) { o.Text("none") }, ""},
		{"names are case-sensitive", func(o *jsonbody.Object) { o.Required("Text") }, "Text"},
		{"empty", func(o *jsonbody.Object) { o.Required("empty") }, "empty"},
		{"a number", func(o *jsonbody.Object) { o.Text("number") }, "number"},
		{"null", func(o *jsonbody.Object) { o.Text("null") }, "null"},
		{"a list", func(o *jsonbody.Object) { o.Text("list") }, "list"},
		{"in order", func(o *jsonbody.Object) { o.Text("null"); o.Text("number") }, "null number"},
		{"a flag", func(o *jsonbody.Object) { o.Flag("yes") }, ""},
		{"a flag as text", func(o *jsonbody.Object) { o.Flag("text") }, "text"},
		{"a flag left out", func(o *jsonbody.Object) { o.Flag("none") }, ""},
		{"a list of texts", func(o *jsonbody.Object) { o.List("list") }, ""},
		{"a text instead of a list", func(o *jsonbody.Object) { o.List("text") }, "text"},
		{"a list not only of texts", func(o *jsonbody.Object) { o.List("mixed") }, "mixed"},
		{"a time", func(o *jsonbody.Object) { o.Time("at") }, ""},
		{"a time left out", func(o *jsonbody.Object) { o.Time("none") }, ""},
		{"a text instead of a time", func(o *jsonbody.Object) { o.Time("text") }, "text"},
		{"unknown members", func(o *jsonbody.Object) {
			o.Text("text")
			o.Text("empty")
			o.Flag("yes")
			o.Time("at")
			o.Unknown()
		}, "list mixed null number"},
	} {
		o := &jsonbody.Object{Members: members}
		tc.read(o)
		var got []string
		for _, f := range o.Faults {
			got = append(got, f.Field)
		}
		if strings.Join(got, " ") != tc.faulty {
			t.Errorf("%s: faults = %q, want %q", tc.name, got, tc.faulty)
		}
	}
}

func TestBodiesAreRead(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for _, tc := range []struct {
		name, kind, body string
		read, any        int // status of the refusal; 0: accepted
	}{
		{"an object", "application/json", `{}`, 0, 0},
		{"a charset", "application/json; charset=UTF-8", `{}`, 0, 0},
		{"another charset", "application/json; charset=latin1", `{}`, 415, 0},
		{"another type", "text/plain", `{}`, 415, 415},
		{"no type", "", `{}`, 415, 415},
		{"nothing at all", "", "", 415, 0},
		{"nothing, with a type", "application/json", " ", 400, 0},
		{"not an object", "application/json", `[]`, 400, 400},
		{"the longest", "application/json", `{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`, 0, 0},
		{"one byte more", "application/json", `{"a":"` + strings.Repeat("x", 64<<10-7) + `"}`, 413, 413},
	} {
		for name, read := range map[string]func(*gin.Context) (*jsonbody.Object, *web.Fault){"Read": jsonbody.Read, "ReadAny": jsonbody.ReadAny} {
			c, _ := gin.CreateTestContext(httptest.NewRecorder())
			c.Request = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tc.body))
			c.Request.Header.Set("Content-Type", tc.kind)
			want, got := tc.read, 0
			if name == "ReadAny" {
				want = tc.any
			}
			if _, f := read(c); f != nil {
				got = f.Status
			}
			if got != want {
				t.Errorf("%s: %s = %d, want %d", tc.name, name, got, want)
			}
		}
	}
}
