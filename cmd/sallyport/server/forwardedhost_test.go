package server_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/servertest"
)

// No response of any route repeats the host that a caller sent: addresses come from the
// settings (H-7).
func TestNoResponseRepeatsTheHostHeader(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	f := newFlood(t, settings)
	f.address = func(int) string { return "::ffff:10.1.1.1" }
	var opened struct {
		ID string `json:"request_id"`
	}
	if w := f.call("POST", "/api/login/v1/requests", ""); json.Unmarshal(w.Body.Bytes(), &opened) != nil || opened.ID == "" {
		t.Fatalf("no login was begun: %d %s", w.Code, w.Body)
	}
	f.foreign = "evil.example"
	served := 0
	for _, route := range handlerRoutes(t, f.Handler) {
		w := f.call(route[0], route[1], opened.ID)
		if w.Code < 400 {
			served++
		}
		for name, values := range w.Header() {
			if strings.Contains(strings.Join(values, " "), f.foreign) {
				t.Errorf("%s %s: header %s is %v", route[0], route[1], name, values)
			}
		}
		if strings.Contains(w.Body.String(), f.foreign) {
			t.Errorf("%s %s repeats the host: %.300s", route[0], route[1], w.Body)
		}
	}
	if served < 10 {
		t.Errorf("%d routes succeeded, too few for this test", served)
	}
	r := httptest.NewRequest("GET", "/authorize?"+url.Values{"client_id": {"own"}}.Encode(), nil)
	r.Host = f.foreign
	w := httptest.NewRecorder()
	if f.Handler.ServeHTTP(w, r); strings.Contains(w.Body.String(), f.foreign) {
		t.Errorf("an error page repeats the host: %.300s", w.Body)
	}
}
