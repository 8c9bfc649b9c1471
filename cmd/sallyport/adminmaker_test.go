package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/provider/apikeys"
	"sallyport/provider/desired"
	"sallyport/web/admin"
)

// Whoever holds an API key gets no more of it than it opens, whatever the way.
func TestAnAPIKeyRaisesNoKey(t *testing.T) {
	c := newConsole(t)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	secret, maker := c.made(apikeys.Draft{Name: "maker", Dialects: []string{"admin"}, Verbs: []string{"write"}, ExpiresAt: end})
	_, other := c.made(apikeys.Draft{Name: "other", Dialects: []string{"admin"}, Verbs: []string{"read", "write"}})
	c.key = secret
	body := func(verb string, end time.Time) map[string]any {
		return map[string]any{"name": "made", "dialects": []string{"admin"}, "verbs": []string{verb}, "expires_at": end.Format(time.RFC3339)}
	}
	state := func(name, verb string, end time.Time) []byte {
		return fmt.Appendf(nil, "api_keys:\n  - {name: %s, dialects: [admin], verbs: [%s], expires_at: %s, secret_sha256: %s}\n",
			name, verb, end.Format(time.RFC3339), sha(strings.Repeat(name, 12)))
	}
	later := end.Add(time.Second)
	c.call("POST", "/api-keys", body("read", end)).refused(400, "invalid_request", "verbs: must be among those of the API key that asks")
	c.call("POST", "/api-keys", body("write", later)).refused(400, "invalid_request", "expires_at: must be "+end.Format(time.RFC3339)+" or earlier")
	made := c.call("POST", "/api-keys", body("write", end)).done(201, "created")
	for _, name := range []string{"fresh", "made", "maker"} {
		c.call("POST", "/state", state(name, "read", end)).refused(400, "invalid_request", "api_keys[0].verbs: must be among those")
		c.call("POST", "/state?dry_run=true", state(name, "write", later)).refused(400, "invalid_request", "api_keys[0].expires_at: must be")
	}
	c.call("POST", "/state", state("other", "write", end)).refused(400, "invalid_request", apikeys.ErrNotPermitted.Error())
	for method, path := range map[string]string{"POST": "/secrets", "DELETE": ""} {
		c.call(method, "/api-keys/"+string(other)+path, nil).refused(403, "not_allowed", apikeys.ErrNotPermitted.Error())
	}
	c.call("POST", "/api-keys/"+string(other)+"/disable", nil).refused(403, "not_allowed", apikeys.ErrNotPermitted.Error())
	c.call("POST", "/api-keys/"+string(other)+"/enable", nil).refused(403, "not_allowed", apikeys.ErrNotPermitted.Error())
	for _, which := range []string{"old", "new"} {
		c.call("DELETE", "/api-keys/"+string(other)+"/secrets/"+which, nil).refused(403, "not_allowed", apikeys.ErrNotPermitted.Error())
	}
	var o desired.Outcome
	c.call("POST", "/state", state("fresh", "write", end)).ok(200, &o)
	if len(o.Changes) != 1 || o.Changes[0].Name != "fresh" {
		t.Errorf("outcome = %+v", o)
	}
	c.call("POST", "/state?prune=true", state("fresh", "write", end)).ok(200, &o) // neither itself nor others
	if left := fmt.Sprint(o.LeftAlone); !strings.Contains(left, "other") || !strings.Contains(left, "maker") || strings.Contains(left, "made") ||
		len(o.Changes) != 1 || o.Changes[0].Name != "made" {
		t.Errorf("pruned by an API key: %+v", o)
	}
	c.key = adminKey
	var k admin.APIKey
	c.call("GET", "/api-keys/"+string(other), nil).ok(200, &k)
	if k.Disabled || k.Secrets != 1 || k.Maker != "" {
		t.Errorf("other = %+v", k)
	}
	_, _ = made, maker
}

// A key from the answer of an API key is worth nothing once that is gone.
func TestAKeyOfAnAPIKeyEndsWithIt(t *testing.T) {
	c := newConsole(t)
	var maker admin.Done
	body := map[string]any{"name": "maker", "dialects": []string{"admin"}, "verbs": []string{"read", "write"}}
	maker = c.call("POST", "/api-keys", body).done(201, "created")
	c.key, body["name"] = maker.Secret, "made"
	made := c.call("POST", "/api-keys", body).done(201, "created")
	var k admin.APIKey
	c.call("GET", "/api-keys/"+string(made.APIKey), nil).ok(200, &k)
	if k.Maker != maker.APIKey {
		t.Errorf("maker = %q, want %q", k.Maker, maker.APIKey)
	}
	c.key = made.Secret
	c.call("GET", "/users", nil).ok(200, nil)
	c.key = adminKey
	c.call("DELETE", "/api-keys/"+string(maker.APIKey), nil).done(200, "deleted")
	c.key = made.Secret
	c.call("GET", "/users", nil).refused(401, "unauthorized", "")
	c.key = adminKey
	for _, path := range []string{"/api-keys/" + string(made.APIKey), "/api-keys?name=made"} {
		if raw := string(c.call("GET", path, nil).raw); !strings.Contains(raw, `"ended_with_maker":true`) {
			t.Errorf("%s = %s", path, raw)
		}
	}
}

// What was disabled stays so for the key that made it, whichever way it goes.
func TestAnAPIKeyEnablesNoKey(t *testing.T) {
	c := newConsole(t)
	body := map[string]any{"name": "maker", "dialects": []string{"admin"}, "verbs": []string{"write"}}
	c.key, body["name"] = c.call("POST", "/api-keys", body).done(201, "created").Secret, "made"
	maker := c.key
	state := func(more string) []byte {
		return fmt.Appendf(nil, "api_keys:\n  - {name: made, dialects: [admin], verbs: [write], secret_sha256: %s%s}\n", sha(strings.Repeat("made", 12)), more)
	}
	var o desired.Outcome
	c.call("POST", "/state", state("")).ok(200, &o)
	c.key = adminKey
	var list admin.APIKeys
	c.call("GET", "/api-keys?name=made", nil).ok(200, &list)
	made := "/api-keys/" + string(list.APIKeys[0].ID)
	c.call("POST", made+"/disable", nil).done(200, "disabled")
	c.key = maker
	for method, path := range map[string]string{"POST": "/enable", "DELETE": ""} {
		c.call(method, made+path, nil).refused(403, "not_allowed", apikeys.ErrOperatorOnly.Error())
	}
	c.call("POST", made+"/secrets", nil).refused(403, "not_allowed", apikeys.ErrOperatorOnly.Error())
	c.call("POST", "/state", state(", disabled: false")).refused(400, "invalid_request", "api_keys[0]: "+apikeys.ErrOperatorOnly.Error())
	c.call("POST", "/state?prune=true", []byte("api_keys: []\n")).ok(200, &o)
	if left := fmt.Sprint(o.LeftAlone); !strings.Contains(left, "made") || len(o.Changes) != 0 {
		t.Errorf("pruned by an API key: %+v", o)
	}
	c.call("POST", "/state", state("")).ok(200, &o) // which changes nothing
	c.key = adminKey
	var k admin.APIKey
	c.call("GET", made, nil).ok(200, &k)
	if !k.Disabled {
		t.Errorf("made = %+v", k)
	}
	c.call("POST", "/state", state(", disabled: false")).ok(200, &o)
	var enabled admin.APIKey
	c.call("GET", made, nil).ok(200, &enabled)
	if enabled.Disabled || len(o.Changes) != 1 {
		t.Errorf("by the operator: %+v, %+v", enabled, o)
	}
}
