package server_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
)

// An office, a school or a mobile network has one address. That everyone begins at nine is
// no attack: each waits for their turn, and gets in.
func TestManyPeopleBehindOneAddressSignInAtOnce(t *testing.T) {
	const people = 32
	state := strings.Builder{}
	state.WriteString(ownerState)
	for i := range people {
		fmt.Fprintf(&state, "  - {username: person%d, password: \"a lantern in the fog %d\"}\n", i, i)
	}
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		servertest.Apply(t, settings, state.String())
		o, at := servertest.Options(t, settings, new(servertest.Clock)), time.Now()
		// However slow the machine of the test: no time passes on the clock that predicts waits.
		o.Now, o.Config.Argon2.Wait, o.Log = func() time.Time { return at }, 5*time.Second, slog.New(slog.DiscardHandler)
		s := servertest.Open(t, o)
		logins := make([]any, people)
		for i := range logins {
			logins[i] = callFrom(t, s, "/api/login/v1/requests", ownerParams("consenting", "https://own.example"))["request_id"]
		}
		var all sync.WaitGroup
		for i, id := range logins {
			all.Go(func() {
				got := map[string]any{"code": "temporarily_unavailable"}
				// The database of a slow machine may say to try again; the queue of hashes may not.
				for got["code"] == "temporarily_unavailable" && s.Password.Load().Refused == 0 {
					got = callFrom(t, s, "/api/login/v1/password", map[string]any{"request_id": id, "identifier": fmt.Sprintf("person%d", i), "password": fmt.Sprintf("a lantern in the fog %d", i)})
				}
				if got["step"] == nil {
					t.Errorf("person %d: %v, want the next step", i, got)
				}
			})
		}
		all.Wait()
		if got := s.Password.Load(); got.Refused != 0 || got.Waiting != 0 || got.Running != 0 {
			t.Errorf("load = %+v, want none refused", got)
		}
	})
}

// callFrom makes a call of the login API from one address.
func callFrom(t *testing.T, s *server.Server, path string, members map[string]any) map[string]any {
	text, err := json.Marshal(members)
	if err != nil {
		t.Error(err)
	}
	r := httptest.NewRequest("POST", path, strings.NewReader(string(text)))
	r.RemoteAddr = "192.0.2.7:4000"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Errorf("%s: %d %s", path, w.Code, w.Body)
	}
	return out
}
