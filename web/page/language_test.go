package page

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/web"
)

// choose posts a choice of language and returns the response.
func choose(t *testing.T, h http.Handler, form url.Values, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", languageRoute, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAChosenLanguageIsRememberedAndComesFirst(t *testing.T) {
	h := handler(t, newLook(t))
	w := choose(t, h, url.Values{"lang": {"de"}, "to": {"/hall?ui_locales=en&id=1"}}, "Sec-Fetch-Site", "same-origin")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/hall?ui_locales=en&id=1" {
		t.Fatalf("after the choice = %d %s", w.Code, w.Header().Get("Location"))
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies = %v", cookies)
	}
	k := cookies[0]
	if k.Name != "__Host-sallyport_language" || k.Value != "de" || !k.Secure || !k.HttpOnly || k.Path != "/" || k.MaxAge < 86400 || k.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie = %+v", k)
	}
	for _, tc := range []struct{ cookie, locales, accept, want string }{
		{"de", "en", "en", "de"}, {"", "de", "en", "de"}, {"", "", "de", "de"}, {"", "", "", "en"},
		{"fr", "de", "en", "de"}, {"<script>", "", "de", "de"}, {"en", "de", "de", "en"},
	} {
		r := httptest.NewRequest("GET", "/hall?ui_locales="+tc.locales, nil)
		r.Header.Set("Accept-Language", tc.accept)
		if tc.cookie != "" {
			r.Header.Set("Cookie", k.Name+"="+tc.cookie)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Language"); got != tc.want {
			t.Errorf("%+v: language = %s", tc, got)
		}
		other := map[string]string{"en": "Deutsch", "de": "English"}[tc.want]
		if body := w.Body.String(); !strings.Contains(body, ">"+other+"</button>") || !strings.Contains(body, `name="to" value="/hall?ui_locales=`+tc.locales+`"`) {
			t.Errorf("%+v: no choice of %s on %s", tc, other, body)
		}
	}
}

func TestAChoiceOfLanguageLeadsNowhereElse(t *testing.T) {
	h := handler(t, newLook(t))
	for _, to := range []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, "/\t/evil.example", "javascript:alert(1)", "hall", "", "/a\r\nSet-Cookie: a=b", "%zz"} {
		w := choose(t, h, url.Values{"lang": {"de"}, "to": {to}})
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
			t.Errorf("%q leads to %d %q", to, w.Code, w.Header().Get("Location"))
		}
	}
	for name, header := range map[string][]string{
		"another site's form":   {"Sec-Fetch-Site", "cross-site"},
		"a sibling host's form": {"Sec-Fetch-Site", "same-site"},
		"another origin's form": {"Origin", "https://evil.example"},
	} {
		if w := choose(t, h, url.Values{"lang": {"de"}, "to": {"/hall"}}, header...); len(w.Result().Cookies()) != 0 {
			t.Errorf("%s chose a language", name)
		}
	}
	if w := choose(t, h, url.Values{"lang": {"xx"}, "to": {"/hall"}}); len(w.Result().Cookies()) != 0 {
		t.Error("a language that the pages do not have was chosen")
	}
}

func TestNumbersFollowTheLanguage(t *testing.T) {
	l := newLook(t)
	for lang, want := range map[string]string{"en": "1,234 seconds", "de": "1.234 Sekunden"} {
		if got, err := l.texts.in(lang).count("wait.seconds", 1234); err != nil || got != want {
			t.Errorf("%s: %q, %v", lang, got, err)
		}
	}
}

func handler(t *testing.T, l *Look) http.Handler {
	t.Helper()
	h, err := web.New(web.Options{Issuer: issuer}, rand.Reader, func() time.Time { return t0 }, surface{l})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAPageRepeatsNoUnknownParameter(t *testing.T) {
	for query, offered := range map[string]bool{"": true, "?requestId=r": true, "?id_token_hint=secret": false, "?requestId=r&redirect_uri=secret": false} {
		body := serve(t, newLook(t), "GET", "/hall"+query).Body.String()
		if strings.Contains(body, `id="languages"`) != offered || strings.Contains(body, "secret") {
			t.Errorf("%q: %s", query, body)
		}
	}
}
