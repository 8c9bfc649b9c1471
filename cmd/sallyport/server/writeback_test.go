package server_test

import (
	"testing"

	"sallyport/cmd/sallyport/servertest"
)

// Writing back a response changes nothing; one changed member is one change.
func TestResponsesCanBeWrittenBack(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	for id, body := range map[string]map[string]any{
		"office": {"client_name": "Office", "redirect_uris": []string{"https://office.example.com/cb"}, "access_token_ttl": "5m", "mfa": "TIME_BASED",
			"mfa_interval": "12h", "refresh_grace": "0s", "grant_types": []string{"authorization_code", "refresh_token"}, "scopes": []string{"openid"}},
		"spa": {"public": true, "redirect_uris": []string{"https://spa.example.com/cb"}, "refresh_grace": "7s", "refresh_token_ttl": "720h"},
	} {
		c.Call("PUT", "/clients/"+id, body).Done(201, "created")
		var read map[string]any
		c.Call("GET", "/clients/"+id, nil).Decode(200, &read)
		c.Call("PUT", "/clients/"+id, read).Done(200, "nothing to change")
		read["refresh_token_ttl"] = 86400
		if d := c.Call("PUT", "/clients/"+id, read).Done(200, "changed"); len(d.Differences) != 1 || d.Differences[0].Key != "refresh_token_ttl" {
			t.Errorf("%s: differences = %+v", id, d.Differences)
		}
		c.Call("PUT", "/clients/"+id, read).Refused(400, "invalid_request", "updated_at: is read-only")
	}
	id := string(c.Call("POST", "/users", map[string]any{"username": "bob", "email": "bob@example.com", "password": "a quiet harbour at dawn",
		"recovery_codes": []string{"aaaabbbbccccddddeeeeffff"}, "roles": []string{"editor"}, "profile": map[string]any{"name": "Bob", "address": map[string]any{"country": "DE"}},
		"mfa_enabled": false}).Done(201, "created").User)
	var read map[string]any
	c.Call("GET", "/users/"+id, nil).Decode(200, &read)
	c.Call("PATCH", "/users/"+id, read).Done(200, "nothing to change")
	read["roles"] = []string{"auditor"}
	if d := c.Call("PATCH", "/users/"+id, read).Done(200, "changed"); len(d.Differences) != 1 || d.Differences[0].Key != "roles" {
		t.Errorf("differences = %+v", d.Differences)
	}
	c.Call("GET", "/users/"+id, nil).Decode(200, &read)
	read["names"] = []any{}
	c.Call("PATCH", "/users/"+id, read).Refused(400, "invalid_request", "names: is read-only")
}
