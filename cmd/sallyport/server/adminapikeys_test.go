package server_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/provider/apikeys"
	"sallyport/provider/desired"
	"sallyport/web/admin"
)

// An API key can in no way create a key that may do more than itself.
func TestAPIKeyGrantsNoMoreThanItHas(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	secret, _ := c.NewAPIKey(apikeys.Draft{Name: "maker", Dialects: []string{"admin"}, Verbs: []string{"write"}, ExpiresAt: end})
	_, other := c.NewAPIKey(apikeys.Draft{Name: "other", Dialects: []string{"admin"}, Verbs: []string{"read", "write"}})
	c.Key = secret
	body := func(verb string, end time.Time) map[string]any {
		return map[string]any{"name": "child", "dialects": []string{"admin"}, "verbs": []string{verb}, "expires_at": end.Format(time.RFC3339)}
	}
	state := func(name, verb string, end time.Time) []byte {
		return fmt.Appendf(nil, "api_keys:\n  - {name: %s, dialects: [admin], verbs: [%s], expires_at: %s, secret_sha256: %s}\n",
			name, verb, end.Format(time.RFC3339), sha(strings.Repeat(name, 12)))
	}
	later := end.Add(time.Second)
	c.Call("POST", "/api-keys", body("read", end)).Refused(400, "invalid_request", "verbs: must be among those of the API key that asks")
	c.Call("POST", "/api-keys", body("write", later)).Refused(400, "invalid_request", "expires_at: must be "+end.Format(time.RFC3339)+" or earlier")
	c.Call("POST", "/api-keys", body("write", end)).Done(201, "created")
	for _, name := range []string{"fresh", "child", "maker"} {
		c.Call("POST", "/state", state(name, "read", end)).Refused(400, "invalid_request", "api_keys[0].verbs: must be among those")
		c.Call("POST", "/state?dry_run=true", state(name, "write", later)).Refused(400, "invalid_request", "api_keys[0].expires_at: must be")
	}
	c.Call("POST", "/state", state("other", "write", end)).Refused(400, "invalid_request", apikeys.ErrNotPermitted.Error())
	for method, path := range map[string]string{"POST": "/secrets", "DELETE": ""} {
		c.Call(method, "/api-keys/"+string(other)+path, nil).Refused(403, "not_allowed", apikeys.ErrNotPermitted.Error())
	}
	c.Call("POST", "/api-keys/"+string(other)+"/disable", nil).Refused(403, "not_allowed", apikeys.ErrNotPermitted.Error())
	c.Call("POST", "/api-keys/"+string(other)+"/enable", nil).Refused(403, "not_allowed", apikeys.ErrNotPermitted.Error())
	for _, which := range []string{"old", "new"} {
		c.Call("DELETE", "/api-keys/"+string(other)+"/secrets/"+which, nil).Refused(403, "not_allowed", apikeys.ErrNotPermitted.Error())
	}
	var o desired.Outcome
	c.Call("POST", "/state", state("fresh", "write", end)).Decode(200, &o)
	if len(o.Changes) != 1 || o.Changes[0].Name != "fresh" {
		t.Errorf("outcome = %+v", o)
	}
	c.Call("POST", "/state?prune=true", state("fresh", "write", end)).Decode(200, &o) // neither itself nor others
	if left := fmt.Sprint(o.LeftAlone); !strings.Contains(left, "other") || !strings.Contains(left, "maker") || strings.Contains(left, "child") ||
		len(o.Changes) != 1 || o.Changes[0].Name != "child" {
		t.Errorf("pruned by an API key: %+v", o)
	}
	c.Key = servertest.AdminKey
	var k admin.APIKey
	c.Call("GET", "/api-keys/"+string(other), nil).Decode(200, &k)
	if k.Disabled || k.Secrets != 1 || k.Maker != "" {
		t.Errorf("other = %+v", k)
	}
}

// A key that an API key created is refused once that API key is deleted.
func TestKeyEndsWithTheAPIKeyThatCreatedIt(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	var maker admin.Done
	body := map[string]any{"name": "maker", "dialects": []string{"admin"}, "verbs": []string{"read", "write"}}
	maker = c.Call("POST", "/api-keys", body).Done(201, "created")
	c.Key, body["name"] = maker.Secret, "child"
	child := c.Call("POST", "/api-keys", body).Done(201, "created")
	var k admin.APIKey
	c.Call("GET", "/api-keys/"+string(child.APIKey), nil).Decode(200, &k)
	if k.Maker != maker.APIKey {
		t.Errorf("maker = %q, want %q", k.Maker, maker.APIKey)
	}
	c.Key = child.Secret
	c.Call("GET", "/users", nil).Decode(200, nil)
	c.Key = servertest.AdminKey
	c.Call("DELETE", "/api-keys/"+string(maker.APIKey), nil).Done(200, "deleted")
	c.Key = child.Secret
	c.Call("GET", "/users", nil).Refused(401, "unauthorized", "")
	c.Key = servertest.AdminKey
	for _, path := range []string{"/api-keys/" + string(child.APIKey), "/api-keys?name=child"} {
		if raw := string(c.Call("GET", path, nil).Raw); !strings.Contains(raw, `"ended_with_maker":true`) {
			t.Errorf("%s = %s", path, raw)
		}
	}
}

// A disabled key stays disabled whatever the key that created it calls.
func TestAPIKeyEnablesNoKey(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	body := map[string]any{"name": "maker", "dialects": []string{"admin"}, "verbs": []string{"write"}}
	c.Key, body["name"] = c.Call("POST", "/api-keys", body).Done(201, "created").Secret, "child"
	maker := c.Key
	state := func(more string) []byte {
		return fmt.Appendf(nil, "api_keys:\n  - {name: child, dialects: [admin], verbs: [write], secret_sha256: %s%s}\n", sha(strings.Repeat("child", 12)), more)
	}
	var o desired.Outcome
	c.Call("POST", "/state", state("")).Decode(200, &o)
	c.Key = servertest.AdminKey
	var list admin.APIKeys
	c.Call("GET", "/api-keys?name=child", nil).Decode(200, &list)
	child := "/api-keys/" + string(list.APIKeys[0].ID)
	c.Call("POST", child+"/disable", nil).Done(200, "disabled")
	c.Key = maker
	for method, path := range map[string]string{"POST": "/enable", "DELETE": ""} {
		c.Call(method, child+path, nil).Refused(403, "not_allowed", apikeys.ErrOperatorOnly.Error())
	}
	c.Call("POST", child+"/secrets", nil).Refused(403, "not_allowed", apikeys.ErrOperatorOnly.Error())
	c.Call("POST", "/state", state(", disabled: false")).Refused(400, "invalid_request", "api_keys[0]: "+apikeys.ErrOperatorOnly.Error())
	c.Call("POST", "/state?prune=true", []byte("api_keys: []\n")).Decode(200, &o)
	if left := fmt.Sprint(o.LeftAlone); !strings.Contains(left, "child") || len(o.Changes) != 0 {
		t.Errorf("pruned by an API key: %+v", o)
	}
	c.Call("POST", "/state", state("")).Decode(200, &o) // which changes nothing
	c.Key = servertest.AdminKey
	var k admin.APIKey
	c.Call("GET", child, nil).Decode(200, &k)
	if !k.Disabled {
		t.Errorf("child = %+v", k)
	}
	c.Call("POST", "/state", state(", disabled: false")).Decode(200, &o)
	var enabled admin.APIKey
	c.Call("GET", child, nil).Decode(200, &enabled)
	if enabled.Disabled || len(o.Changes) != 1 {
		t.Errorf("by the operator: %+v, %+v", enabled, o)
	}
}

func sha(secret string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(secret))) }
