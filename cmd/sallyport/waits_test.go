package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/web/admin"
)

// failed imposes waits as failures do: on a user, an unknown name, an address and a client.
func (o *fixture) failed(user storage.UserID) {
	o.Helper()
	now := time.Now()
	o.withServer(func(h *server.Server) {
		fail := func(bucket string, subject []byte) {
			c := storage.Throttle{Key: storage.ThrottleKey{Bucket: bucket, Subject: subject}, Schedule: storage.Schedule{First: time.Hour, Cap: time.Hour}}
			if _, err := h.Store.CountAttempt(o.Context(), storage.Attempt{Throttles: []storage.Throttle{c}, Now: now}); err != nil {
				o.Fatal(err)
			}
		}
		fail(throttle.Factor, h.Keyring.Hash("user", string(user)))
		fail(throttle.Password, throttle.NameSubject(h.Keyring, "alice@example.com"))
		fail(throttle.Password, throttle.UnknownSubject(h.Keyring, "nobody@example.com"))
		for _, network := range []string{"192.0.2.1", "2001:db8::/64"} {
			a := storage.AddressThrottle{Address: network, Window: time.Hour, Max: 1}
			if err := h.Store.CountFailure(o.Context(), storage.Attempt{Address: &a, Now: now}); err != nil {
				o.Fatal(err)
			}
			fail(throttle.ClientSecret, throttle.ClientSubject(h.Keyring, "shop", network))
			v := mfa.Caller{Address: strings.TrimSuffix(network, "/64")}
			h.Journal.Note(h.Journal.Event(v, storage.Event{Kind: mfa.EventClientFailed, ClientID: "shop", Outcome: mfa.OutcomeRefused}))
		}
		if err := h.Store.PutClient(o.Context(), storage.Client{ID: "shop"}, nil); err != nil {
			o.Fatal(err)
		}
		if err := h.Journal.Flush(o.Context()); err != nil {
			o.Fatal(err)
		}
	})
}

func TestWaitsAreListedAndLifted(t *testing.T) {
	o := newFixture(t)
	o.must("user", "create", "--username", "alice", "--email", "alice@example.com")
	o.failed(o.account("alice").User.ID)
	list := func(flags string) string {
		var list []admin.Wait
		o.read(&list, strings.Fields("waits list "+flags)...)
		var out []string
		for _, w := range list {
			if w.Until == nil || time.Until(*w.Until) < 50*time.Minute {
				t.Errorf("%s: %+v", flags, w)
			}
			out = append(out, strings.TrimSpace(w.Bucket+" "+w.Network))
		}
		return strings.Join(out, ", ")
	}
	for flags, want := range map[string]string{
		"--user alice":                       "factor, password",
		"--name ALICE@example.com":           "password",
		"--name nobody@example.com":          "password",
		"--name eve@example.com":             "",
		"--address 192.0.2.1":                "address 192.0.2.1",
		"--address ::ffff:192.0.2.1":         "address 192.0.2.1",
		"--address 2001:db8::7":              "address 2001:db8::/64",
		"--address 2001:db8::/64":            "address 2001:db8::/64",
		"--address 192.0.2.2":                "",
		"--client shop":                      "client_secret 192.0.2.1, client_secret 2001:db8::/64",
		"--client shop --address 192.0.2.1":  "client_secret 192.0.2.1",
		"--client shop --address 192.0.2.99": "",
	} {
		if got := list(flags); got != want {
			t.Errorf("waits list %s = %q, want %q", flags, got, want)
		}
	}
	for _, bad := range []string{"", "--user alice --name bob", "--name bob --address 192.0.2.1", "--user nobody", "--address here",
		"--address 192.0.2.0/24", "--client none", "--name a@b --client shop", "--user alice --client shop --address 192.0.2.1"} {
		for _, verb := range []string{"list", "lift"} {
			if code, out, err := o.run("", strings.Fields("waits "+verb+" "+bad)...); code == 0 || out != "" || err == "" {
				t.Errorf("waits %s %s: %d %q %q", verb, bad, code, out, err)
			}
		}
	}
	lifts := []string{"--user alice", "--name nobody@example.com", "--address 2001:db8::1", "--client shop"}
	for i, flags := range lifts {
		before := list(flags)
		if out := o.must(strings.Fields("waits lift " + flags)...); !strings.Contains(out, fmt.Sprint(len(strings.Split(before, ", ")))+" lifted") {
			t.Errorf("waits lift %s: %s", flags, out)
		}
		if got := list(flags); before == "" || got != "" {
			t.Errorf("%s: %q before, %q after it was lifted", flags, before, got)
		}
		for _, other := range lifts[i+1:] {
			if list(other) == "" {
				t.Errorf("lifting %s lifted %s too", flags, other)
			}
		}
	}
	if got := list("--address 192.0.2.1"); got == "" {
		t.Error("the wait of another address was lifted")
	}
	events := strings.Split(strings.TrimSpace(o.must("events", "--kind", mfa.EventWaitsLifted, "--json")), "\n")
	if len(events) != len(lifts) {
		t.Errorf("%d events, want %d", len(events), len(lifts))
	}
	for _, e := range events {
		if strings.Contains(e, "nobody") || !strings.Contains(e, `"of":`) {
			t.Errorf("event = %s", e)
		}
	}
}
