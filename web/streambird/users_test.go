package streambird

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestUsersAreCreatedAndChanged(t *testing.T) {
	h := newFixture(t)
	user := golden(t, "users_create_phone", h.post("/users/create", "phone_number", number).ok()).text("user_id")
	golden(t, "users_create_duplicate_phone", h.post("/users/create", "phone_number", number).refused(409, "duplicate_phone_number"))
	golden(t, "users_create_duplicate_email", func() reply {
		h.newUser("email", "bob@example.org")
		return h.post("/users/create", "email", "BOB@example.org").refused(409, "duplicate_email")
	}())
	golden(t, "users_create_invalid_email", h.post("/users/create", "email", "ada").refused(400, "invalid_email"))
	golden(t, "users_create_invalid_phone", h.post("/users/create", "phone_number", "4152222222").refused(400, "invalid_phone_number"))
	for _, invalid := range []string{"+123456", "+1234567890123456", "+1 415 x", someone} {
		h.post("/users/create", "phone_number", invalid).refused(400, "invalid_phone_number")
	}

	const path = "/update"
	changed := golden(t, "users_update", h.call(http.MethodPut, "/users/"+user+path, `{"first_name":"Ada","emails":[{"email":"Ada@Example.org"}],"phone_numbers":[{"phone_number":"`+number+`"}]}`).ok())
	if changed.text("emails.0.email") != someone || changed.text("phone_numbers.0.phone_number") != number {
		t.Errorf("changed = %s, want the two addresses that were named", changed.raw)
	}
	more := h.call(http.MethodPost, "/users/"+user+path, `{"emails":["ada@example.com"],"phone_numbers":[],"middle_name":null}`).ok()
	if n := len(more.at("user.emails").([]any)); n != 2 || more.text("emails.0.email") != "ada@example.com" || len(more.at("phone_numbers").([]any)) != 0 || more.text("user.first_name") != "Ada" {
		t.Errorf("changed = %s, want a second address and nothing else", more.raw)
	}
	node := h.call(http.MethodPut, "/users/auth/users/"+user+path, `{"last_name":"King"}`).ok()
	if node.text("user.last_name") != "King" {
		t.Errorf("changed = %s", node.raw)
	}
	h.call(http.MethodPut, "/users/"+user+path, `{"first_name":"Eve","emails":["eve@example.org","bob@example.org"]}`).refused(409, "duplicate_email")
	after := h.call(http.MethodGet, "/users/"+user, "").ok()
	if after.text("first_name") != "Ada" || strings.Contains(after.raw, "eve@") {
		t.Errorf("a refused change has changed %s", after.raw)
	}
	h.call(http.MethodPut, "/users/user_24wFP9pDa9YiMJLun94iKykoZs2"+path, `{"first_name":"Eve"}`).refused(404, "user_not_found")
}

func TestUsersAndAddressesAreDeleted(t *testing.T) {
	h := newFixture(t)
	created := h.post("/users/create", "email", someone, "phone_number", number).ok()
	user, email, phone := created.text("user_id"), created.text("email_id"), created.text("phone_number_id")
	r := h.newApp(user).verify("session_expires_in", 60).ok()
	h.call(http.MethodDelete, "/users/emails/"+phone+"/delete", "").refused(404, "email_not_found")
	h.call(http.MethodDelete, "/users/phone_numbers/"+email+"/delete", "").refused(404, "phone_number_not_found")
	h.call(http.MethodDelete, "/users/emails/pn"+strings.TrimPrefix(email, "email")+"/delete", "").refused(404, "email_not_found")
	golden(t, "users_emails_delete", h.call(http.MethodDelete, "/users/emails/"+email+"/delete", "").ok())
	h.call(http.MethodDelete, "/users/emails/"+email+"/delete", "").refused(404, "email_not_found")
	golden(t, "users_phone_numbers_delete", h.call(http.MethodDelete, "/users/phone_numbers/"+phone+"/delete", "").ok())
	h.call(http.MethodDelete, "/users/totps/totp_27LbM1TMjS3gQN1vuzb1jn8Fshw/delete", "").refused(404, "totp_not_found")
	golden(t, "users_delete", h.call(http.MethodDelete, "/users/"+user+"/delete", "").ok())
	golden(t, "users_get_deleted", h.call(http.MethodGet, "/users/"+user, "").refused(404, "user_not_found"))
	h.call(http.MethodDelete, "/users/"+user+"/delete", "").refused(404, "user_not_found")
	h.post("/sessions/verify", "session_token", r.text("session_token")).refused(404, "session_not_found")
	h.newUser("email", someone, "phone_number", number) // free again
}

func TestOneOfManyUsersGetsAnAddress(t *testing.T) {
	h := newFixture(t)
	var all sync.WaitGroup
	var won, refused atomic.Int64
	for range 20 {
		all.Go(func() {
			switch w := h.raw(http.MethodPost, "/users/create", object("email", someone)); w.Code {
			case http.StatusOK:
				won.Add(1)
			case http.StatusConflict:
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || refused.Load() != 19 {
		t.Errorf("%d created, %d refused, want 1 and 19\n%s", won.Load(), refused.Load(), h.failures())
	}
}

func TestUsersAreSearched(t *testing.T) {
	h := newFixture(t)
	ada := h.newUser("email", someone, "phone_number", number)
	bob := h.newUser("email", "bob@example.org", "requires_verification", true)
	eve := h.newUser("phone_number", "+4915112345678")
	filters := func(operator, fields string) string {
		return `{"filters":{"operator":"` + operator + `","fields":[` + fields + `]}}`
	}
	golden(t, "users_search", h.call(http.MethodPost, "/users/search", filters("AND", `{"field":"user_id","operator":"in","values":["`+ada+`"]}`)).ok())
	for _, tc := range []struct {
		name, body string
		want       []string
	}{
		{"everyone", `{}`, []string{ada, bob, eve}},
		{"null", `{"filters":null,"limit":null,"starting_after":null}`, []string{ada, bob, eve}},
		{"an address in another case", filters("AND", `{"field":"email","operator":"eq","value":"ADA@example.org"}`), []string{ada}},
		{"one of two addresses", filters("AND", `{"field":"email","operator":"in","values":["ada@example.org","bob@example.org"]}`), []string{ada, bob}},
		{"an ID", filters("AND", `{"field":"user_id","operator":"eq","value":"`+bob+`"}`), []string{bob}},
		{"an ID that is none", filters("AND", `{"field":"user_id","operator":"eq","value":"x"}`), nil},
		{"an address that is none", filters("AND", `{"field":"email","operator":"eq","value":"x"}`), nil},
		{"a status", filters("AND", `{"field":"status","operator":"eq","value":"pending"}`), []string{bob}},
		{"both", filters("AND", `{"field":"status","operator":"eq","value":"active"},{"field":"phone_number","operator":"in","values":["`+number+`","+4915112345678"]}`), []string{ada, eve}},
		{"either", filters("or", `{"field":"email","operator":"eq","value":"ada@example.org"},{"field":"status","operator":"eq","value":"pending"}`), []string{ada, bob}},
		{"either, of which one is none", filters("OR", `{"field":"user_id","operator":"eq","value":"x"},{"field":"status","operator":"eq","value":"pending"}`), []string{bob}},
		{"two addresses that nobody has both of", filters("AND", `{"field":"email","operator":"eq","value":"ada@example.org"},{"field":"email","operator":"eq","value":"bob@example.org"}`), nil},
		{"two addresses of which one is enough", filters("OR", `{"field":"email","operator":"eq","value":"ada@example.org"},{"field":"email","operator":"eq","value":"bob@example.org"}`), []string{ada, bob}},
	} {
		r := h.call(http.MethodPost, "/users/search", tc.body).ok()
		var got []string
		for _, u := range r.at("users").([]any) {
			got = append(got, u.(map[string]any)["user_id"].(string))
		}
		same := len(got) == len(tc.want) && r.at("total_count") == float64(len(got)) && r.at("has_more") == false
		for _, id := range tc.want {
			same = same && strings.Contains(r.raw, id)
		}
		if !same {
			t.Errorf("%s: found %v, want %v", tc.name, got, tc.want)
		}
	}
	var pages []string
	after := any(nil)
	for range 3 {
		r := h.post("/users/search", "limit", 1, "starting_after", after).ok()
		pages = append(pages, r.text("users.0.user_id"))
		after = r.text("users.0.user_id")
		if r.at("total_count") != 3.0 || r.at("has_more") != (len(pages) < 3) {
			t.Errorf("page %d = %s", len(pages), r.raw)
		}
	}
	if all := strings.Join(pages, " "); !strings.Contains(all, ada) || !strings.Contains(all, bob) || !strings.Contains(all, eve) {
		t.Errorf("pages = %v", pages)
	}
}
