package stytch

import (
	"encoding/base64"
	"slices"

	"sallyport/mfa/backend"
	"sallyport/storage"
)

// Limits of a search.
const (
	pageDefault = 100
	pageMost    = 1000
	valuesMost  = 1000
)

func (s *Surface) searchUsers(k *call) (any, error) {
	q, empty, err := s.query(k.in)
	if err != nil {
		return nil, err
	}
	found := backend.Found{}
	if !empty {
		if found, err = s.backend.Search(k, q); err != nil {
			return nil, err
		}
	}
	type metadata struct {
		Total  int     `json:"total"`
		Cursor *string `json:"next_cursor"`
	}
	b := struct {
		envelope
		Results  []userBody `json:"results"`
		Metadata metadata   `json:"results_metadata"`
	}{s.answered(), make([]userBody, len(found.Accounts)), metadata{Total: found.Total}}
	for i, a := range found.Accounts {
		if b.Results[i], err = s.view(k, a); err != nil {
			return nil, err
		}
	}
	if found.More {
		last := base64.RawURLEncoding.EncodeToString([]byte(found.Accounts[len(found.Accounts)-1].User.ID))
		b.Metadata.Cursor = &last
	}
	return b, nil
}

// query reads a search; empty: nothing can match it.
func (s *Surface) query(in input) (q backend.Query, empty bool, err error) {
	limit, sent := in.Integer("limit")
	cursor, asked := in.Text("cursor"), in.part("query")
	operator := asked.Text("operator")
	operands, ok := asked.Members["operands"].([]any)
	if asked.has("operands") && !ok {
		asked.Fault("operands", "must be a list")
	}
	switch err := in.fault(); {
	case err != nil:
		return q, false, err
	case !sent:
		limit = pageDefault
	case limit < 1 || limit > pageMost:
		return q, false, &fault{invalidLimit, nil}
	}
	q.Limit = int(limit)
	if cursor != "" {
		after, err := base64.RawURLEncoding.DecodeString(cursor)
		if _, ok := storage.Bytes(string(after)); err != nil || !ok {
			return q, false, &fault{invalidCursor, nil}
		}
		q.After = storage.UserID(after)
	}
	switch operator {
	case "OR":
		q.Any = true
	case "AND", "":
	default:
		return q, false, &fault{invalidOperator, nil}
	}
	f := filters{}
	for _, o := range operands {
		members, ok := o.(map[string]any)
		if !ok {
			return q, false, &fault{badRequest, nil}
		}
		if err := f.add(s, members, q.Any); err != nil {
			return q, false, err
		}
	}
	return f.into(q)
}

// filters are the values of the operands of a search by filter_name. Names that are missing
// do not filter.
type filters map[string][]string

// add adds an operand: of two with the same name, OR takes the values of either, AND those of
// both.
func (f filters) add(s *Surface, operand map[string]any, any bool) error {
	name, ok := operand["filter_name"].(string)
	if !ok {
		return &fault{filterNameType, nil}
	}
	values, err := filterValues(name, operand["filter_value"])
	if err != nil {
		return err
	}
	if name == "user_id" {
		for i, text := range values {
			id, err := s.userID(text)
			if err != nil {
				return err
			}
			values[i] = string(id)
		}
	}
	before, twice := f[name]
	switch {
	case twice && any:
		values = append(before, values...)
	case twice:
		values = slices.DeleteFunc(values, func(v string) bool { return !slices.Contains(before, v) })
	}
	f[name] = values
	return nil
}

// filterValues reads the value of an operand.
func filterValues(name string, value any) ([]string, error) {
	switch name {
	case "status":
		text, ok := value.(string)
		if !ok {
			return nil, &fault{filterString, nil}
		}
		if text != string(storage.UserActive) && text != string(storage.UserPending) {
			return nil, &fault{filterStatus, nil}
		}
		return []string{text}, nil
	case "user_id", "email_address", "phone_number":
		list, ok := value.([]any)
		if !ok || len(list) == 0 {
			return nil, &fault{filterList, nil}
		}
		if len(list) > valuesMost {
			return nil, &fault{filterCount, nil}
		}
		out := make([]string, len(list))
		for i, x := range list {
			if out[i], ok = x.(string); !ok {
				return nil, &fault{filterList, nil}
			}
		}
		return out, nil
	}
	return nil, &fault{filterName, nil}
}

// into completes a query; empty: nothing can match it.
func (f filters) into(q backend.Query) (_ backend.Query, empty bool, _ error) {
	for name, values := range f {
		switch name {
		case "user_id":
			for _, v := range values {
				q.IDs = append(q.IDs, storage.UserID(v))
			}
		case "email_address":
			q.Emails = values
		case "phone_number":
			q.Phones = values
		case "status":
			for _, v := range values {
				q.Statuses = append(q.Statuses, storage.UserStatus(v))
			}
		}
		if len(values) == 0 && (!q.Any || len(f) == 1) {
			return q, true, nil
		}
	}
	return q, false, nil
}

// Refusals of searches.
var (
	invalidLimit    = refusal{400, "user_search_invalid_limit", "limit must be from 1 to 1000."}
	invalidCursor   = refusal{400, "user_search_invalid_cursor", "cursor must be a next_cursor of this search."}
	invalidOperator = refusal{400, "user_search_invalid_operator", "operator must be AND or OR."}
	filterNameType  = refusal{400, "user_search_filter_name_must_be_string", "filter_name must be text."}
	filterName      = refusal{400, "user_search_filter_name_not_recognized", "filter_name must be user_id, email_address, phone_number or status."}
	filterString    = refusal{400, "user_search_expected_string", "The filter_value of status must be text."}
	filterStatus    = refusal{400, "user_search_invalid_status_filter", "The filter_value of status must be active or pending."}
	filterList      = refusal{400, "user_search_expected_array_of_string", "filter_value must be a list of texts that is not empty."}
	filterCount     = refusal{400, "user_search_maximum_filter_value_count_exceeded", "filter_value must have no more than 1000 values."}
)
