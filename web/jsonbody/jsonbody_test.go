package jsonbody_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/input"
	"sallyport/web"
	"sallyport/web/jsonbody"
)

func TestMembersHaveTheirType(t *testing.T) {
	members, err := input.Object([]byte(`{"text":"a","empty":"","number":1,"null":null,"yes":true,"list":["a","b"],"mixed":["a",1],"at":"2027-01-31T18:00:00Z"}`))
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
		}, "   "},
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

// dialectBody has members as programs of the dialects send them, and wrong ones.
const dialectBody = `{"whole":5,"negative":-7,"zero":0,"fraction":5.5,"point":5.0,"exponent":5e2,"huge":9223372036854775808,"quoted":"5",
	"null":null,"yes":true,"text":"a","name":{"first_name":"A","last_name":null,"age":3,"inner":{"x":1}},
	"emails":["a@b.example",{"email":"c@d.example","id":1}],"empty":[],"numbers":[1],"nulls":[null],"nameless":["a",{"mail":"x"}],"typed":[{"email":1}]}`

func TestDialectMembersHaveTheirType(t *testing.T) {
	for _, tc := range []struct {
		name   string
		read   func(o *jsonbody.Object) any
		want   any
		faulty string
	}{
		{"a whole number", func(o *jsonbody.Object) any { return integer(o, "whole") }, "5 true", ""},
		{"a negative one", func(o *jsonbody.Object) any { return integer(o, "negative") }, "-7 true", ""},
		{"zero is not absent", func(o *jsonbody.Object) any { return integer(o, "zero") }, "0 true", ""},
		{"no number", func(o *jsonbody.Object) any { return integer(o, "none") }, "0 false", ""},
		{"null for a number", func(o *jsonbody.Object) any { return integer(o, "null") }, "0 false", ""},
		{"a fraction", func(o *jsonbody.Object) any { return integer(o, "fraction") }, "0 false", "fraction"},
		{"a fraction of nothing", func(o *jsonbody.Object) any { return integer(o, "point") }, "5 true", ""},
		{"an exponent", func(o *jsonbody.Object) any { return integer(o, "exponent") }, "500 true", ""},
		{"a number too large", func(o *jsonbody.Object) any { return integer(o, "huge") }, "0 false", "huge"},
		{"a number in quotes", func(o *jsonbody.Object) any { return integer(o, "quoted") }, "0 false", "quoted"},
		{"true for a number", func(o *jsonbody.Object) any { return integer(o, "yes") }, "0 false", "yes"},
		{"null for a text", func(o *jsonbody.Object) any { return o.Text("null") }, "", ""},
		{"null where a text is required", func(o *jsonbody.Object) any { return o.Required("null") }, "", "null"},
		{"null for a flag", func(o *jsonbody.Object) any { return o.Flag("null") }, false, ""},
		{"null for a list", func(o *jsonbody.Object) any { return len(o.List("null")) }, 0, ""},
		{"an object", func(o *jsonbody.Object) any { return o.Object("name").Text("first_name") }, "A", ""},
		{"null in an object", func(o *jsonbody.Object) any { return o.Object("name").Text("last_name") }, "", ""},
		{"another type in an object", func(o *jsonbody.Object) any { return o.Object("name").Text("age") }, "", "name.age"},
		{"another type in an inner object", func(o *jsonbody.Object) any { return o.Object("name").Object("inner").Text("x") }, "", "name.inner.x"},
		{"no object", func(o *jsonbody.Object) any { return o.Object("none") == nil }, true, ""},
		{"null for an object", func(o *jsonbody.Object) any { return o.Object("null") == nil }, true, ""},
		{"a text for an object", func(o *jsonbody.Object) any { return o.Object("text") == nil }, true, "text"},
		{"texts and objects", func(o *jsonbody.Object) any { return listOf(o, "emails") }, "a@b.example c@d.example", ""},
		{"an empty list", func(o *jsonbody.Object) any { return listOf(o, "empty") }, "", ""},
		{"no list", func(o *jsonbody.Object) any { return listOf(o, "none") }, "", ""},
		{"null for a list of both", func(o *jsonbody.Object) any { return listOf(o, "null") }, "", ""},
		{"a text for a list of both", func(o *jsonbody.Object) any { return listOf(o, "text") }, "", "text"},
		{"a list of numbers", func(o *jsonbody.Object) any { return listOf(o, "numbers") }, "", "numbers"},
		{"a list of null", func(o *jsonbody.Object) any { return listOf(o, "nulls") }, "", "nulls"},
		{"an object without the key", func(o *jsonbody.Object) any { return listOf(o, "nameless") }, "a ", "nameless[1].email"},
		{"an object with another type", func(o *jsonbody.Object) any { return len(o.ListOf("typed", "email")) }, 1, "typed[0].email typed[0].email"},
	} {
		members, err := input.Object([]byte(dialectBody))
		if err != nil {
			t.Fatal(err)
		}
		o := &jsonbody.Object{Members: members, NullIsAbsent: true}
		if got := tc.read(o); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
		var faulty []string
		for _, f := range o.Faults {
			faulty = append(faulty, f.Field)
		}
		if strings.Join(faulty, " ") != tc.faulty {
			t.Errorf("%s: faults = %q, want %q", tc.name, faulty, tc.faulty)
		}
	}
}

func integer(o *jsonbody.Object, name string) string {
	n, sent := o.Integer(name)
	return fmt.Sprint(n, sent)
}

func listOf(o *jsonbody.Object, name string) string {
	return strings.Join(o.ListOf(name, "email"), " ")
}

// The SDKs send objects with DELETE, too.
func TestABodyOfDELETEIsRead(t *testing.T) {
	var got string
	h, err := web.New(web.Options{Issuer: "https://op.example"}, rand.Reader, time.Now, deleting(func(c *gin.Context) {
		o, f := jsonbody.ReadAny(c)
		if f != nil {
			c.Status(f.Status)
			return
		}
		got = o.Text("session_id")
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, kind, body, want string
		status                 int
	}{
		{"an object", "application/json", `{"session_id":"sess_1"}`, "sess_1", 200},
		{"no body", "", "", "", 200},
		{"a form", "application/x-www-form-urlencoded", "session_id=sess_1", "", 415},
		{"a comma too many", "application/json", `{"session_id":"sess_1",}`, "", 400},
		{"too long", "application/json", `{"a":"` + strings.Repeat("x", 64<<10) + `"}`, "", 413},
	} {
		got = ""
		r := httptest.NewRequest(http.MethodDelete, "/", strings.NewReader(tc.body))
		r.Header.Set("Content-Type", tc.kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.status || got != tc.want {
			t.Errorf("%s: status %d, session_id %q, want %d, %q", tc.name, w.Code, got, tc.status, tc.want)
		}
	}
}

// deleting is a surface with one route.
type deleting gin.HandlerFunc

func (d deleting) Mount(r gin.IRouter) { r.DELETE("/", gin.HandlerFunc(d)) }
