package storagetest

import (
	"slices"
	"strings"

	"sallyport/storage"
)

// searched returns the IDs that a search finds, and checks its count.
func (w *fixture) searched(s storage.UserSearch) []storage.UserID {
	w.Helper()
	s.Limit, s.Count, s.Now = 1000, true, w.now
	got, err := w.s.SearchUsers(w.ctx, s)
	w.ok(err)
	out := []storage.UserID{}
	for _, a := range got.Accounts {
		same(w, a, w.account(a.User.ID))
		out = append(out, a.User.ID)
	}
	if got.Total != len(out) || got.More || !slices.IsSorted(out) {
		w.Errorf("%d users, total %d, more %v: %v", len(out), got.Total, got.More, out)
	}
	return out
}

func userSearch(w *fixture) {
	p, q, r := w.addUser(), w.addUser(), w.addUser()
	phone := w.name(p.id, "+"+random[string]())
	phone.Kind = storage.Phone
	w.ok(w.s.AddIdentifier(w.ctx, phone, nil))
	disabled := storage.UserDisabled
	for _, id := range []storage.UserID{q.id, r.id} {
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: id, Status: &disabled, Now: w.now}))
	}
	prefix, _, _ := strings.Cut(q.email, "@")
	odd := w.name(r.id, random[string]()+"%_x")
	w.ok(w.s.AddIdentifier(w.ctx, odd, nil))
	gone := w.name(r.id, random[string]()+"-gone")
	gone.ExpiresAt = w.now
	w.ok(w.s.AddIdentifier(w.ctx, gone, nil))
	for name, tc := range map[string]struct {
		search storage.UserSearch
		want   []storage.UserID
	}{
		"IDs":                     {storage.UserSearch{IDs: []storage.UserID{p.id, r.id, "x", random[storage.UserID]()}}, []storage.UserID{p.id, r.id}},
		"an e-mail address":       {storage.UserSearch{Emails: []string{q.email, "none@example.com", "\x00"}}, []storage.UserID{q.id}},
		"a number":                {storage.UserSearch{Phones: []string{phone.Value}}, []storage.UserID{p.id}},
		"a number as an address":  {storage.UserSearch{Emails: []string{phone.Value}}, nil},
		"an empty list":           {storage.UserSearch{Emails: []string{}}, nil},
		"only malformed IDs":      {storage.UserSearch{IDs: []storage.UserID{"x"}}, nil},
		"both conditions":         {storage.UserSearch{IDs: []storage.UserID{p.id, q.id}, Statuses: []storage.UserStatus{storage.UserDisabled}}, []storage.UserID{q.id}},
		"any condition":           {storage.UserSearch{Any: true, Emails: []string{p.email}, IDs: []storage.UserID{r.id}}, []storage.UserID{p.id, r.id}},
		"any, one without values": {storage.UserSearch{Any: true, Emails: []string{}, IDs: []storage.UserID{r.id}}, []storage.UserID{r.id}},
		"part of an address":      {storage.UserSearch{NamePart: prefix[1:]}, []storage.UserID{q.id}},
		"part of a number":        {storage.UserSearch{NamePart: phone.Value[2:]}, []storage.UserID{p.id}},
		"a short part, and an ID": {storage.UserSearch{NamePart: phone.Value[:2], IDs: []storage.UserID{p.id}}, []storage.UserID{p.id}},
		"any, part of a name":     {storage.UserSearch{Any: true, NamePart: prefix[1:], IDs: []storage.UserID{p.id}}, []storage.UserID{p.id, q.id}},
		"part with a percent":     {storage.UserSearch{NamePart: odd.Value[3:]}, []storage.UserID{r.id}},
		"no pattern":              {storage.UserSearch{NamePart: odd.Value[3:10] + "%x"}, nil},
		"part of an expired name": {storage.UserSearch{NamePart: gone.Value[3:]}, nil},
		"part with a NUL":         {storage.UserSearch{NamePart: "\x00"}, nil},
		"part and status":         {storage.UserSearch{NamePart: prefix[1:], Statuses: []storage.UserStatus{storage.UserActive}}, nil},
		"no common user":          {storage.UserSearch{Emails: []string{p.email}, Phones: []string{"+1"}}, nil},
	} {
		want := append([]storage.UserID{}, tc.want...)
		slices.Sort(want)
		if got := w.searched(tc.search); !slices.Equal(got, want) {
			w.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	off := w.searched(storage.UserSearch{Statuses: []storage.UserStatus{storage.UserDisabled, storage.UserPending}})
	if !slices.Contains(off, q.id) || !slices.Contains(off, r.id) || slices.Contains(off, p.id) {
		w.Errorf("disabled users: %v", off)
	}
	// Each with a condition that an index decides, and without.
	for _, status := range []storage.UserStatus{storage.UserDisabled, storage.UserActive} {
		either := w.searched(storage.UserSearch{Any: true, Emails: []string{p.email, q.email}, Statuses: []storage.UserStatus{status}})
		if !slices.Contains(either, p.id) || !slices.Contains(either, q.id) || slices.Contains(either, r.id) != (status == storage.UserDisabled) {
			w.Errorf("the users of two addresses, and those %s: %v", status, either)
		}
	}
	all, err := w.s.ListUsers(w.ctx, storage.UserFilter{Limit: 1000})
	w.ok(err)
	same(w, len(w.searched(storage.UserSearch{})), len(all))
}

func userSearchPages(w *fixture) {
	var want []storage.UserID
	for range 5 {
		want = append(want, w.addUser().id)
	}
	slices.Sort(want)
	var got []storage.UserID
	s := storage.UserSearch{IDs: want, Limit: 2, Count: true, Now: w.now}
	for more := true; more; {
		page, err := w.s.SearchUsers(w.ctx, s)
		w.ok(err)
		same(w, page.Total, len(want))
		same(w, page.More, len(got)+2 < len(want))
		for _, a := range page.Accounts {
			got = append(got, a.User.ID)
		}
		s.After, more = got[len(got)-1], page.More
	}
	same(w, got, want)
}
