package cidaas

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// FuzzRead: every body is accepted or refused, and the OAuth endpoints read the same from the
// form of an accepted one.
func FuzzRead(f *testing.F) {
	gin.SetMode(gin.ReleaseMode)
	for _, seed := range [][2]string{{"application/json", `{"request_id":"x","passcode":"123456","sub":null}`}, {"application/json", ""},
		{formType, "requestId=a&sub=undefined&q=null"}, {formType, "a=1&a=2"}, {"", ""}, {"text/plain", "x"},
		{"application/json; charset=utf-8", `{"a":{"b":[1,"\u0000"]}}`}, {"application/json", `{"code":"a&b=c","grant_type":"x y+%"}`}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		c.Request = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		c.Request.Header.Set("Content-Type", kind)
		if c.ContentType() == formType && c.Request.ParseForm() != nil {
			return // the engine refuses it
		}
		in, wrong := read(c, true)
		if (in == nil) == (wrong == nil) {
			t.Fatalf("read %q %q = %v, %v; want one of both", kind, body, in, wrong)
		}
		if wrong != nil {
			if wrong.Status < 400 || wrong.Status > 499 {
				t.Fatalf("refused %q %q with %d", kind, body, wrong.Status)
			}
			return
		}
		for name := range in.Members {
			before := len(in.Faults)
			if text := in.Text(name); text != "" && len(in.Faults) > before {
				t.Fatalf("%q is %q and of another type: %q", name, text, body)
			}
		}
		form, ok := formOf(in)
		if !ok {
			return
		}
		r := asForm(c.Request, form)
		if err := r.ParseForm(); err != nil || len(r.PostForm) != len(form) {
			t.Fatalf("%v is read back as %v, %v", form, r.PostForm, err)
		}
		for name, values := range form {
			if present(values[0]) == "" || r.PostForm.Get(name) != values[0] {
				t.Fatalf("%q = %q is read back as %q", name, values[0], r.PostForm.Get(name))
			}
		}
	})
}

func TestWhatCountsAsAbsent(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for _, tc := range []struct {
		name, kind, body string
		want             url.Values
	}{
		{"words the libraries write for nothing", formType, "a=undefined&b=null&c=&d=x", url.Values{"d": {"x"}}},
		{"null, and those words in JSON that becomes a form", "application/json", `{"a":"undefined","b":null,"c":"","d":"x"}`, url.Values{"d": {"x"}}},
		{"nothing at all", "application/json", "", url.Values{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := gin.CreateTestContext(httptest.NewRecorder())
			c.Request = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tc.body))
			c.Request.Header.Set("Content-Type", tc.kind)
			if tc.kind == formType && c.Request.ParseForm() != nil {
				t.Fatal("no form")
			}
			in, wrong := read(c, true)
			if wrong != nil {
				t.Fatalf("read = %v", wrong)
			}
			if got, ok := formOf(in); !ok || got.Encode() != tc.want.Encode() {
				t.Errorf("form = %v, want %v", got, tc.want)
			}
		})
	}
}
