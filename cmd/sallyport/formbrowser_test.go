package main

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// formBrowser is a browser that fills in forms.
type formBrowser struct {
	t    *testing.T
	http *http.Client
	at   *url.URL
	page string
	// number is the support number of the page.
	number string
}

func newFormBrowser(t *testing.T) *formBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &formBrowser{t: t}
	v.http = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if v.at = r.URL; r.URL.Port() == "9" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return v
}

func (v *formBrowser) got(r *http.Response, err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.page, v.number = string(body), r.Header.Get("X-Correlation-Id")
}

func (v *formBrowser) submit(id string, fields ...string) {
	v.t.Helper()
	_, form, found := strings.Cut(v.page, `<form id="`+id+`"`)
	if !found {
		v.t.Fatalf("%s has no form %s:\n%s", v.at, id, v.page)
	}
	form, _, _ = strings.Cut(form, "</form>")
	attribute := func(in, name string) string {
		found := regexp.MustCompile(`\b` + name + `="([^"]*)"`).FindStringSubmatch(in)
		if found == nil {
			return ""
		}
		return html.UnescapeString(found[1])
	}
	values := url.Values{}
	for _, input := range regexp.MustCompile(`<input [^>]*>`).FindAllString(form, -1) {
		values.Set(attribute(input, "name"), attribute(input, "value"))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	target, err := v.at.Parse(attribute(form, "action"))
	if err != nil {
		v.t.Fatal(err)
	}
	v.at = target
	v.got(v.http.PostForm(target.String(), values))
}
