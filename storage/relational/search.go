package relational

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"sallyport/storage"
)

// searchWindow is how many users, in the order of IDs, are compared with a part of a name before
// the index of names is asked. A part that many names have fills a page from them; the index, which
// first finds every name with the part, is for those that few have.
const searchWindow = 1000

// SearchUsers implements storage.Users.
func (e *Engine) SearchUsers(ctx context.Context, s storage.UserSearch) (storage.UsersFound, error) {
	limit := page(s.Limit)
	var out storage.UsersFound
	err := e.read(ctx, "search users", func(q querier) error {
		out = storage.UsersFound{}
		where, args := matching(s, e.dialect)
		if s.Count {
			var total number
			count := "SELECT COUNT(*) FROM (SELECT 1 FROM users u WHERE " + where + " LIMIT ?) found"
			if err := q.one(count, append(args[:len(args):len(args)], storage.MostCounted), &total); err != nil {
				return err
			}
			out.Total = int(total)
		}
		if s.NamePart != "" && !s.Any && e.dialect == postgresDialect {
			near, nearArgs := "TRUE", []any(nil)
			if s.After != "" {
				near, nearArgs = "id > ?", []any{ref(s.After)}
			}
			cond, condArgs := matching(s, "")
			var err error
			out.Accounts, err = q.found("(SELECT * FROM users WHERE "+near+" ORDER BY id LIMIT ?) u", append(nearArgs, searchWindow), cond, condArgs, limit)
			if err != nil || len(out.Accounts) > limit {
				return err
			}
		}
		if s.After != "" {
			where, args = where+" AND u.id > ?", append(args[:len(args):len(args)], ref(s.After))
		}
		var err error
		out.Accounts, err = q.found("users u", nil, where, args, limit)
		return err
	})
	if len(out.Accounts) > limit {
		out.Accounts, out.More = out.Accounts[:limit], true
	}
	return out, err
}

// found returns the first accounts of a table of users "u", and one more than the limit if there is.
func (q querier) found(from string, fromArgs []any, where string, args []any, limit int) ([]storage.Account, error) {
	return q.accounts("WITH who (id) AS (SELECT u.id FROM "+from+" WHERE "+where+" ORDER BY u.id LIMIT ?), "+accountParts+
		" SELECT parts.owner, "+partColumns+" FROM parts ORDER BY parts.owner, parts.part, parts.created_at, parts.id",
		slices.Concat(fromArgs, args, []any{int64(limit) + 1}))
}

// condition is one of a search: on "users u", and as the IDs of the users for whom it is true.
type condition struct {
	where, set string
	args       []any
}

// matching returns the condition of a search on "users u". indexed is the dialect whose index of
// names finds a part of them; "": compare the names of each user.
func matching(s storage.UserSearch, indexed dialect) (string, []any) {
	conditions, bounded := conditionsOf(s, indexed)
	var w assignments
	for _, c := range conditions {
		if s.Any && bounded {
			w.add(c.set, c.args...)
		} else {
			w.add(c.where, c.args...)
		}
	}
	switch {
	case len(w.parts) == 0:
		return "TRUE", nil
	case s.Any && bounded:
		// With OR PostgreSQL would read every user.
		return "u.id IN (" + joined(w, " UNION ALL ") + ")", w.args
	case s.Any:
		return "(" + joined(w, " OR ") + ")", w.args
	}
	return joined(w, " AND "), w.args
}

// conditionsOf returns the conditions of a search, and whether each has an index that finds its
// users: nothing finds those who are active, as nearly all are.
func conditionsOf(s storage.UserSearch, indexed dialect) (out []condition, bounded bool) {
	bounded = true
	if s.IDs != nil {
		out = append(out, condition{"u.id IN ?", "SELECT id FROM users WHERE id IN ?", []any{refs(s.IDs)}})
	}
	if s.Statuses != nil {
		rest := ""
		if bounded = !slices.Contains(s.Statuses, storage.UserActive); bounded {
			rest = "status <> 'active' AND " // as the partial index has it
		}
		out = append(out, condition{strings.ReplaceAll(rest, "status", "u.status") + "u.status IN ?", "SELECT id FROM users WHERE " + rest + "status IN ?", []any{s.Statuses}})
	}
	named := func(names string, args ...any) {
		set := "SELECT user_id FROM identifiers WHERE " + names
		out = append(out, condition{"u.id IN (" + set + ")", set, args})
	}
	for _, names := range []struct {
		kind   storage.IdentifierKind
		values []string
	}{{storage.Email, s.Emails}, {storage.Phone, s.Phones}} {
		if names.values != nil {
			named("kind = ? AND value IN ? AND "+unexpired,
				string(names.kind), slices.DeleteFunc(slices.Clone(names.values), func(v string) bool { return !plain(v) }), micro(s.Now))
		}
	}
	if s.NamePart == "" {
		return out, bounded
	}
	part := any(s.NamePart)
	if !plain(s.NamePart) {
		part = nil // part of no name
	}
	// Both engines distinguish case here, and no character of the part has a meaning.
	has := "REPLACE(value, ?, '') <> value AND " + unexpired
	switch {
	case indexed == "":
		out = append(out, condition{"EXISTS (SELECT 1 FROM identifiers WHERE user_id = u.id AND " + has + ")", "", []any{part, micro(s.Now)}})
	case indexed == postgresDialect && utf8.RuneCountInString(s.NamePart) >= 3:
		// As an array the names are found first, whatever the planner believes of their number:
		// else it may compare the names of all users in the order of their IDs.
		set := "SELECT user_id FROM identifiers WHERE name_trigrams(value) @> name_trigrams(?) AND " + has
		out = append(out, condition{"u.id = ANY(ARRAY(" + set + "))", set, []any{part, part, micro(s.Now)}})
	default: // a scan of the names
		named(has, part, micro(s.Now))
	}
	return out, bounded
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
