package backend

import (
	"context"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// maxSearch bounds the results on a page, and the values of a search.
const maxSearch = 1000

// Query selects users. Within a list any value matches; the lists are combined by And, or by
// Or if Any is set. Without lists every user matches.
type Query struct {
	IDs            []storage.UserID
	Emails, Phones []string
	Statuses       []storage.UserStatus
	Any            bool
	After          storage.UserID // exclusive
	Limit          int            // 1..1000
}

// Found is one page of a search, in the order of user IDs.
type Found struct {
	Accounts []storage.Account
	Total    int
	More     bool
}

// Search returns one page of users. A value that is not an address matches none.
// InvalidRequest: the limit is out of range, or there are more than a thousand values.
func (s *Service) Search(ctx context.Context, q Query) (Found, error) {
	if q.Limit < 1 || q.Limit > maxSearch || len(q.IDs)+len(q.Emails)+len(q.Phones)+len(q.Statuses) > maxSearch {
		return Found{}, invalid(fmt.Sprintf("more than %d results or values", maxSearch))
	}
	found, err := s.store.SearchUsers(ctx, storage.UserSearch{IDs: q.IDs, Emails: canonical(storage.Email, q.Emails), Phones: canonical(storage.Phone, q.Phones),
		Statuses: q.Statuses, Any: q.Any, After: q.After, Limit: q.Limit, Count: true, Now: s.now()})
	if err != nil {
		return Found{}, mfa.Wrap("search users", err)
	}
	for i, a := range found.Accounts {
		found.Accounts[i] = s.current(a)
	}
	return Found(found), nil
}

// canonical returns the canonical forms of addresses to look up; nil stays nil.
func canonical(kind storage.IdentifierKind, typed []string) []string {
	if typed == nil {
		return nil
	}
	out := []string{}
	for _, t := range typed {
		if a, err := newAddress(kind, t); err == nil {
			out = append(out, a.value)
		}
	}
	return out
}
