package stytch

import (
	"net/http"
	"testing"
	"time"

	"sallyport/provider/apikeys"
)

func TestCallsOfAProjectAreLimited(t *testing.T) {
	h := newFixture(t)
	h.surface.rates.most = 3
	_, secret := h.newKey("other", other, apikeys.VerbRead)
	for range 3 {
		h.post("/v1/users/search").ok()
	}
	r := h.post("/v1/users/search").refused(429, "too_many_requests")
	if r.w.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After = %q, want 1", r.w.Header().Get("Retry-After"))
	}
	another := request(http.MethodPost, "/v1/users/search", "{}")
	another.SetBasicAuth(other, secret)
	h.do(another).ok()
	h.Wait(time.Second)
	h.post("/v1/users/search").ok()
}
