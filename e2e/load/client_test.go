package load

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// answer is a server that says who called, and leads to a form and elsewhere.
func answer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/begin":
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
		http.Redirect(w, r, "http://"+r.Host+"/form", http.StatusFound)
	case "/form":
		_, _ = fmt.Fprint(w, `<form action="/end?a=1&amp;b=2"><input type="hidden" name="h" value="1&#43;1"><input name="who"></form>`)
	case "/end":
		http.Redirect(w, r, "http://elsewhere.example/?"+r.URL.RawQuery+"&h="+url.QueryEscape(r.PostFormValue("h"))+"&who="+r.PostFormValue("who"), http.StatusSeeOther)
	case "/who":
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = fmt.Fprint(w, host, " ", r.Header.Get("Cookie"))
	case "/busy":
		http.Error(w, "busy", http.StatusTooManyRequests)
	default:
		http.NotFound(w, r)
	}
}

func dial(t *testing.T, from ...string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(server.Close)
	c, err := Dial(strings.TrimPrefix(server.URL, "http://"), from...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestForms(t *testing.T) {
	c := dial(t)
	r, err := c.Open("/begin")
	if err != nil {
		t.Fatal(err)
	}
	r, err = c.Submit(r, url.Values{"who": {"me"}})
	if want := "http://elsewhere.example/?a=1&b=2&h=1%2B1&who=me"; err != nil || r.Code != 303 || r.Location != want {
		t.Errorf("%d to %q, %v; want 303 to %q", r.Code, r.Location, err, want)
	}
	if r.Took <= 0 || c.Slowest < r.Took {
		t.Errorf("took %v, the slowest %v", r.Took, c.Slowest)
	}
}

// TestForget expects the next person at the next address, without the cookies of the last.
func TestForget(t *testing.T) {
	c := dial(t, "127.0.0.2", "127.0.0.3")
	for _, address := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.2"} {
		for _, cookie := range []string{"", "seen=yes"} {
			r, err := c.Get("/who")
			if want := address + " " + cookie; err != nil || string(r.Body) != want {
				t.Errorf("%q, %v; want %q", r.Body, err, want)
			}
			if _, err := c.Get("/begin"); err != nil {
				t.Fatal(err)
			}
		}
		c.Forget()
	}
}

func TestRefusals(t *testing.T) {
	c := dial(t)
	var no *Refusal
	if _, err := c.Open("/busy"); !errors.As(err, &no) || no.Code != 429 || no.Took <= 0 {
		t.Errorf("429 is %v", err)
	}
	if _, err := c.Open("/nowhere"); err == nil || errors.As(err, &no) {
		t.Errorf("404 is %v", err)
	}
}
