package relational

import (
	"context"
	"slices"

	"sallyport/storage"
)

// SearchUsers implements storage.Users.
func (e *Engine) SearchUsers(ctx context.Context, s storage.UserSearch) (storage.UsersFound, error) {
	where, args := matching(s)
	after, afterArgs := where, args
	if s.After != "" {
		after, afterArgs = where+" AND u.id > ?", append(args[:len(args):len(args)], ref(s.After))
	}
	limit := page(s.Limit)
	query := "WITH who (id) AS (SELECT u.id FROM users u WHERE " + after + " ORDER BY u.id LIMIT ?), " + accountParts +
		" SELECT parts.owner, " + partColumns + " FROM parts ORDER BY parts.owner, parts.part, parts.created_at, parts.id"
	var out storage.UsersFound
	err := e.read(ctx, "search users", func(q querier) error {
		out = storage.UsersFound{}
		var total number
		if err := q.one("SELECT COUNT(*) FROM users u WHERE "+where, args, &total); err != nil {
			return err
		}
		out.Total = int(total)
		var err error
		out.Accounts, err = q.accounts(query, append(afterArgs[:len(afterArgs):len(afterArgs)], int64(limit)+1))
		return err
	})
	if len(out.Accounts) > limit {
		out.Accounts, out.More = out.Accounts[:limit], true
	}
	return out, err
}

// matching returns the condition of a search on "users u".
func matching(s storage.UserSearch) (string, []any) {
	var w assignments
	if s.IDs != nil {
		w.add("u.id IN ?", refs(s.IDs))
	}
	if s.Statuses != nil {
		w.add("u.status IN ?", s.Statuses)
	}
	for _, names := range []struct {
		kind   storage.IdentifierKind
		values []string
	}{{storage.Email, s.Emails}, {storage.Phone, s.Phones}} {
		if names.values == nil {
			continue
		}
		w.add("u.id IN (SELECT user_id FROM identifiers WHERE kind = ? AND value IN ? AND "+unexpired+")",
			string(names.kind), slices.DeleteFunc(slices.Clone(names.values), func(v string) bool { return !plain(v) }), micro(s.Now))
	}
	if s.NamePart != "" {
		part := any(s.NamePart)
		if !plain(s.NamePart) {
			part = nil // part of no name
		}
		// Both engines distinguish case here, and no character of the part has a meaning.
		w.add("u.id IN (SELECT user_id FROM identifiers WHERE REPLACE(value, ?, '') <> value AND "+unexpired+")", part, micro(s.Now))
	}
	switch {
	case len(w.parts) == 0:
		return "TRUE", nil
	case s.Any:
		return "(" + joined(w, " OR ") + ")", w.args
	}
	return joined(w, " AND "), w.args
}

// accounts reads accounts, each of whose rows begins with the user's ID.
func (q querier) accounts(query string, args []any) ([]storage.Account, error) {
	var out []storage.Account
	var owner, before text
	a := accountRows{e: q.e}
	dest := append([]any{&owner}, a.dest()...)
	err := q.each(query, args, func(rows scanner) error {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if owner != before {
			out, a.account = append(out, storage.Account{}), storage.Account{}
			before = owner
		}
		err := a.add()
		out[len(out)-1] = a.account
		return err
	})
	return out, err
}
