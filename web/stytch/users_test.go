package stytch

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestUsers(t *testing.T) {
	h := newFixture(t)
	made := h.call(http.MethodPost, "/v1/users", `{"email":"Ada@Example.com","phone_number":"+14155552671","name":{"first_name":"Ada","last_name":"Lovelace"},
		"trusted_metadata":{"plan":"gold","limits":{"seats":3}},"untrusted_metadata":{"theme":"dark"},"external_id":"crm-7","unknown":[{}]}`).ok().golden(t, "users_create")
	id := made.get("user_id")
	h.call(http.MethodGet, "/v1/users/"+id, "").ok().golden(t, "users_get")
	h.call(http.MethodPut, "/v1/users/"+id, `{"name":{"middle_name":"King"},"trusted_metadata":{"limits":null,"since":1843}}`).ok().golden(t, "users_update")
	h.call(http.MethodDelete, "/v1/users/emails/"+made.get("email_id"), "{}").ok().golden(t, "users_delete_email")
	h.call(http.MethodDelete, "/v1/users/emails/"+made.get("email_id"), "{}").refused(404, "email_not_found")
	h.call(http.MethodDelete, "/v1/users/phone_numbers/"+made.get("phone_id"), "{}").ok().is("user.phone_numbers", "[]")
	h.call(http.MethodDelete, "/v1/users/phone_numbers/"+made.get("phone_id"), "{}").refused(404, "phone_number_not_found")
	h.call(http.MethodDelete, "/v1/users/"+id, "{}").ok().golden(t, "users_delete")
	h.call(http.MethodDelete, "/v1/users/"+id, "{}").refused(404, "user_not_found")
	h.call(http.MethodGet, "/v1/users/"+id, "").refused(404, "user_not_found").golden(t, "user_not_found")
}

func TestAPendingUserBecomesActiveWithTheFirstProof(t *testing.T) {
	h := newFixture(t)
	id := h.post("/v1/users", "email", "ada@example.com", "create_user_as_pending", true).ok().is("status", "pending").is("user.status", "pending").get("user_id")
	a := h.newApp(id)
	h.post("/v1/totps/authenticate", "user_id", id, "totp_code", h.wrong(a)).refused(401, "unable_to_authenticate_totp")
	h.call(http.MethodGet, "/v1/users/"+id, "").ok().is("status", "pending")
	h.prove(a).ok().is("user.status", "active")
}

func TestUsersAreRefused(t *testing.T) {
	h := newFixture(t)
	h.post("/v1/users", "email", "ada@example.com", "phone_number", "+14155552671").ok()
	for _, tc := range []struct{ name, body, kind string }{
		{"no address", `{"name":{"first_name":"Ada"}}`, "invalid_create_user_request"},
		{"empty addresses", `{"email":"","phone_number":null}`, "invalid_create_user_request"},
		{"no e-mail address", `{"email":"ada"}`, "invalid_email"},
		{"a phone number as e-mail address", `{"email":"+14155552672"}`, "invalid_email"},
		{"no phone number", `{"phone_number":"12"}`, "invalid_phone_number"},
		{"an e-mail address as phone number", `{"phone_number":"bob@example.com"}`, "invalid_phone_number"},
		{"the e-mail address of another user", `{"email":"ADA@example.com"}`, "duplicate_email"},
		{"the phone number of another user", `{"email":"bob@example.com","phone_number":"+14155552671"}`, "duplicate_phone_number"},
		{"a number as e-mail address", `{"email":7}`, "bad_request"},
		{"a text as name", `{"email":"bob@example.com","name":"Bob"}`, "bad_request"},
		{"a number in a name", `{"email":"bob@example.com","name":{"first_name":1}}`, "bad_request"},
		{"a list as metadata", `{"email":"bob@example.com","trusted_metadata":[]}`, "bad_request"},
		{"a text as flag", `{"email":"bob@example.com","create_user_as_pending":"yes"}`, "bad_request"},
		{"large metadata", `{"email":"bob@example.com","trusted_metadata":{"a":"` + strings.Repeat("x", 40_000) + `"}}`, "bad_request"},
		{"a trailing comma", `{"email":"bob@example.com",}`, "bad_request"},
		{"a name twice", `{"email":"bob@example.com","email":"eve@example.com"}`, "bad_request"},
		{"nothing", ``, "invalid_create_user_request"},
		{"null", `null`, "bad_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			h.call(http.MethodPost, "/v1/users", tc.body).refused(400, tc.kind)
		})
	}
	h.T = t
	h.post("/v1/users/search").ok().is("results_metadata.total", 1)
}

func TestIDs(t *testing.T) {
	h := newFixture(t)
	id := h.user("ada")
	uuid := strings.TrimPrefix(id, "user-test-")
	for _, tc := range []struct {
		verb, path string
		status     int
		kind       string
	}{
		{"GET", "/v1/users/user-live-" + uuid, 404, "user_not_found"},
		{"GET", "/v1/users/user-test-00000000-0000-0000-0000-000000000000", 404, "user_not_found"},
		{"GET", "/v1/users/" + uuid, 400, "invalid_user_id"},
		{"GET", "/v1/users/email-test-" + uuid, 400, "invalid_user_id"},
		{"GET", "/v1/users/user-test-" + strings.ToUpper(uuid) + "x", 400, "invalid_user_id"},
		{"PUT", "/v1/users/x", 400, "invalid_user_id"},
		{"DELETE", "/v1/users/x", 400, "invalid_user_id"},
		{"DELETE", "/v1/users/user-live-" + uuid, 404, "user_not_found"},
		{"DELETE", "/v1/users/emails/x", 400, "invalid_method_id"},
		{"DELETE", "/v1/users/emails/phone-number-test-" + uuid, 400, "invalid_method_id"},
		{"DELETE", "/v1/users/emails/email-live-" + uuid, 404, "email_not_found"},
		{"DELETE", "/v1/users/phone_numbers/x", 400, "invalid_method_id"},
		{"DELETE", "/v1/users/phone_numbers/phone-number-live-" + uuid, 404, "phone_number_not_found"},
		{"DELETE", "/v1/users/totps/x", 400, "invalid_totp_id"},
		{"DELETE", "/v1/users/totps/totp-live-" + uuid, 404, "totp_not_found"},
		{"DELETE", "/v1/users/totps/totp-test-" + uuid, 404, "totp_not_found"},
		{"GET", "/v1/sessions?user_id=x", 400, "invalid_user_id"},
		{"GET", "/v1/sessions", 400, "invalid_user_id"},
		{"GET", "/v1/sessions?user_id=user-live-" + uuid, 404, "user_not_found"},
	} {
		body := ""
		if tc.verb != "GET" {
			body = "{}"
		}
		h.call(tc.verb, tc.path, body).refused(tc.status, tc.kind)
	}
}

func TestSearch(t *testing.T) {
	h := newFixture(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, h.post("/v1/users", "email", fmt.Sprintf("user%d@example.com", i), "phone_number", fmt.Sprintf("+1415555%04d", i),
			"create_user_as_pending", i > 2).ok().get("user_id"))
		if i == 0 {
			h.post("/v1/users/search").ok().golden(t, "users_search")
		}
	}
	slices.Sort(ids)
	var found []string
	cursor := any(nil)
	for page := range 3 {
		r := h.post("/v1/users/search", "limit", 2, "cursor", cursor).ok().is("results_metadata.total", 5)
		for _, u := range r.at("results").([]any) {
			found = append(found, u.(map[string]any)["user_id"].(string))
		}
		cursor = r.at("results_metadata.next_cursor")
		if (cursor == nil) != (page == 2) {
			t.Fatalf("page %d has the cursor %v", page, cursor)
		}
	}
	if !slices.Equal(found, ids) {
		t.Errorf("pages = %v, want %v", found, ids)
	}
	some := `"` + strings.Join(ids[:2], `","`) + `"`
	operand := func(name, value string) string {
		return fmt.Sprintf(`{"filter_name":%q,"filter_value":%s}`, name, value)
	}
	for _, tc := range []struct {
		name, operator string
		operands       []string
		total          int
	}{
		{"none", "AND", nil, 5},
		{"IDs", "AND", []string{operand("user_id", "["+some+"]")}, 2},
		{"an ID of the other environment", "AND", []string{operand("user_id", `["`+strings.Replace(ids[0], "test", "live", 1)+`"]`)}, 0},
		{"e-mail addresses in any case", "AND", []string{operand("email_address", `["USER1@example.com","nobody@example.com"]`)}, 1},
		{"phone numbers", "AND", []string{operand("phone_number", `["+14155550001","+14155550002"]`)}, 2},
		{"a status", "AND", []string{operand("status", `"pending"`)}, 2},
		{"two filters", "AND", []string{operand("status", `"active"`), operand("phone_number", `["+14155550001","+14155550004"]`)}, 1},
		{"either of two filters", "OR", []string{operand("status", `"active"`), operand("phone_number", `["+14155550001","+14155550004"]`)}, 4},
		{"a filter twice", "AND", []string{operand("email_address", `["user1@example.com","user2@example.com"]`), operand("email_address", `["user2@example.com"]`)}, 1},
		{"a filter twice without a common value", "AND", []string{operand("email_address", `["user1@example.com"]`), operand("email_address", `["user2@example.com"]`)}, 0},
		{"either of a filter twice", "OR", []string{operand("email_address", `["user1@example.com"]`), operand("email_address", `["user2@example.com"]`)}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			r := h.call("POST", "/v1/users/search", fmt.Sprintf(`{"query":{"operator":%q,"operands":[%s]}}`, tc.operator, strings.Join(tc.operands, ",")))
			r.ok().is("results_metadata.total", tc.total)
			if n := len(r.at("results").([]any)); n != tc.total {
				t.Errorf("%d users, want %d", n, tc.total)
			}
		})
	}
	h.T = t
	for _, tc := range []struct{ body, kind string }{
		{`{"limit":0}`, "user_search_invalid_limit"},
		{`{"limit":1001}`, "user_search_invalid_limit"},
		{`{"limit":1.5}`, "bad_request"},
		{`{"limit":"1"}`, "bad_request"},
		{`{"cursor":"x"}`, "user_search_invalid_cursor"},
		{`{"cursor":7}`, "bad_request"},
		{`{"query":[]}`, "bad_request"},
		{`{"query":{"operator":"XOR"}}`, "user_search_invalid_operator"},
		{`{"query":{"operator":"AND","operands":{}}}`, "bad_request"},
		{`{"query":{"operator":"AND","operands":[7]}}`, "bad_request"},
		{`{"query":{"operands":[{}]}}`, "user_search_filter_name_must_be_string"},
		{`{"query":{"operands":[{"filter_name":"shoe_size","filter_value":[]}]}}`, "user_search_filter_name_not_recognized"},
		{`{"query":{"operands":[{"filter_name":"user_id","filter_value":"x"}]}}`, "user_search_expected_array_of_string"},
		{`{"query":{"operands":[{"filter_name":"user_id","filter_value":[]}]}}`, "user_search_expected_array_of_string"},
		{`{"query":{"operands":[{"filter_name":"user_id","filter_value":[7]}]}}`, "user_search_expected_array_of_string"},
		{`{"query":{"operands":[{"filter_name":"user_id","filter_value":["x"]}]}}`, "invalid_user_id"},
		{`{"query":{"operands":[{"filter_name":"email_address","filter_value":[` + strings.Repeat(`"a",`, 1000) + `"a"]}]}}`, "user_search_maximum_filter_value_count_exceeded"},
		{`{"query":{"operands":[{"filter_name":"status","filter_value":["active"]}]}}`, "user_search_expected_string"},
		{`{"query":{"operands":[{"filter_name":"status","filter_value":"dead"}]}}`, "user_search_invalid_status_filter"},
	} {
		h.call("POST", "/v1/users/search", tc.body).refused(400, tc.kind)
	}
}
