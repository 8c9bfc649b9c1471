package streambird

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/mfa/backend"
	"sallyport/storage"
	"sallyport/web/jsonbody"
	"sallyport/web/wireid"
)

// mostFilters bounds the fields of a search, and the values of one.
const mostFilters = 100

// search returns one page of users.
func (s *Surface) search(k call) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	q := backend.Query{Limit: int(in.whole("limit", 1, 100, 50))}
	if after := in.Text("starting_after"); after != "" {
		var ok bool
		if q.After, ok = wireid.FromStreambird[storage.UserID](wireid.StreambirdUser, after); !ok {
			in.Fault("starting_after", "must be the ID of a user")
		}
	}
	some := true
	if f := in.Object.Object("filters"); f != nil {
		q, some = filter(f, q)
	}
	if err := in.fault(); err != nil {
		return nil, err
	}
	var found backend.Found
	if some {
		if found, err = s.backend.Search(k.Request.Context(), q); err != nil {
			return nil, err
		}
	}
	out := struct {
		Users []userBody `json:"users"`
		Total int        `json:"total_count"`
		More  bool       `json:"has_more"`
	}{[]userBody{}, found.Total, found.More}
	for _, a := range found.Accounts {
		out.Users = append(out.Users, s.userBody(a))
	}
	return out, nil
}

// filter adds filters to a query. It reports false if no user can match.
func filter(in *jsonbody.Object, q backend.Query) (backend.Query, bool) {
	switch strings.ToUpper(in.Text("operator")) {
	case "OR":
		q.Any = true
	case "AND":
	default:
		in.Fault("operator", "must be AND or OR")
	}
	fields := in.Objects("fields")
	if len(fields) == 0 || len(fields) > mostFilters {
		in.Fault("fields", fmt.Sprintf("must have 1 to %d entries", mostFilters))
		return q, false
	}
	values := map[string][]string{}
	for _, f := range fields {
		name, list := field(f)
		if have, twice := values[name]; twice && q.Any {
			list = append(have, list...)
		} else if twice {
			list = slices.DeleteFunc(list, func(v string) bool { return !slices.Contains(have, v) })
		}
		values[name] = list
	}
	return into(q, values)
}

// field returns the name and the values of one field.
func field(in *jsonbody.Object) (string, []string) {
	name := in.Required("field")
	if !slices.Contains([]string{"user_id", "email", "phone_number", "status"}, name) {
		in.Fault("field", "must be user_id, email, phone_number or status")
	}
	var list []string
	switch in.Text("operator") {
	case "eq":
		list = []string{in.Required("value")}
	case "in":
		list = in.List("values")
	default:
		in.Fault("operator", "must be eq or in")
	}
	if len(list) == 0 || len(list) > mostFilters {
		in.Fault("values", fmt.Sprintf("must have 1 to %d entries", mostFilters))
	}
	return name, list
}

// into writes values by field into a query. An ID that does not decode matches no user.
func into(q backend.Query, values map[string][]string) (backend.Query, bool) {
	some, empty := false, false
	for name, list := range values {
		n := 0
		for _, v := range list {
			switch name {
			case "user_id":
				if id := userOf(v); id != "" {
					q.IDs, n = append(q.IDs, id), n+1
				}
			case "email":
				q.Emails, n = append(q.Emails, v), n+1
			case "phone_number":
				q.Phones, n = append(q.Phones, v), n+1
			case "status":
				q.Statuses, n = append(q.Statuses, storage.UserStatus(v)), n+1
			}
		}
		some, empty = some || n > 0, empty || n == 0
	}
	return q, some && (q.Any || !empty)
}
