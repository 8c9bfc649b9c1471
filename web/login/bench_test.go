package login

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"sallyport/web/page"
)

func BenchmarkLoginPage(b *testing.B) {
	_, h := stage(b, page.Options{})
	r := httptest.NewRequest("GET", "/show/login?requestId=r-1", nil)
	r.Header.Set("Accept-Language", "de-DE,de;q=0.9,en;q=0.8")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkPages is the part of a server's start that reads and checks its pages.
func BenchmarkPages(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := page.New(nil, page.Options{Issuer: issuer}, Files()); err != nil {
			b.Fatal(err)
		}
	}
}
