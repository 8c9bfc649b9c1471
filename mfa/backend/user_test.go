package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(h *mfatest.Fixture)) {
	t.Run("SQLite", func(t *testing.T) { test(mfatest.New(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(mfatest.NewAt(t, storagetest.Postgres(t))) })
}

// concurrently calls do n times at once and returns the errors.
func concurrently(n int, do func(i int) error) []error {
	start, errs := make(chan struct{}), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { <-start; errs[i] = do(i) })
	}
	close(start)
	all.Wait()
	return errs
}

// create creates a user, who must not exist.
func create(h *mfatest.Fixture, d backend.Draft) storage.Account {
	h.T.Helper()
	a, err := h.Backend.CreateUser(context.Background(), h.Caller, d)
	mfatest.Want(h.T, "create", err, "")
	return a
}

// refused checks for a refusal about a kind of address.
func refused(t *testing.T, what string, err error, code mfa.Code, kind storage.IdentifierKind) {
	t.Helper()
	mfatest.Want(t, what, err, code)
	if backend.KindOf(err) != kind {
		t.Errorf("%s: the refusal is about %q, want %q", what, backend.KindOf(err), kind)
	}
}

const (
	number      = "+14152222222"
	otherNumber = "+14153333333"
)

func text(s string) *string { return &s }

func TestAUserIsCreatedAsDescribed(t *testing.T) {
	h := mfatest.New(t)
	a := create(h, backend.Draft{Email: "Ada@Example.com", Phone: "+1 415 222 2222", Pending: true, Name: backend.Name{First: text("Ada"), Last: text("Lovelace")},
		Metadata: backend.Metadata{Trusted: map[string]json.RawMessage{"plan": json.RawMessage(`"gold"`), "gone": json.RawMessage(`null`)}, ExternalID: "crm-1"}})
	if a.User.Status != storage.UserPending || len(a.Identifiers) != 2 {
		t.Fatalf("created %+v", a)
	}
	for _, i := range a.Identifiers {
		if want := map[storage.IdentifierKind]string{storage.Email: mfatest.Email, storage.Phone: number}[i.Kind]; i.Value != want || !i.VerifiedAt.IsZero() {
			t.Errorf("identifier %+v, want %s, unverified", i, want)
		}
	}
	first, middle, last := backend.NameOf(a.User)
	if first != "Ada" || middle != "" || last != "Lovelace" {
		t.Errorf("name %q %q %q", first, middle, last)
	}
	m := backend.MetadataOf(a.User)
	if len(m.Trusted) != 1 || string(m.Trusted["plan"]) != `"gold"` || m.ExternalID != "crm-1" {
		t.Errorf("metadata %+v", m)
	}
	if h.CountEvents(mfa.EventUserCreated) != 1 {
		t.Error("the user was not logged")
	}
	got, err := h.Backend.User(context.Background(), a.User.ID)
	mfatest.Want(t, "read", err, "")
	if got.User.ID != a.User.ID {
		t.Errorf("read %+v", got)
	}
	_, err = h.Backend.User(context.Background(), "x")
	mfatest.Want(t, "read an unknown user", err, mfa.UserNotFound)
}

func TestAFaultyDraftCreatesNoUser(t *testing.T) {
	h := mfatest.New(t)
	create(h, backend.Draft{Email: mfatest.Email, Phone: number})
	large := map[string]json.RawMessage{"k": json.RawMessage(`"` + strings.Repeat("x", 4096) + `"`)}
	many := map[string]json.RawMessage{}
	for i := range 21 {
		many[fmt.Sprint(i)] = json.RawMessage("1")
	}
	for name, tc := range map[string]struct {
		draft backend.Draft
		code  mfa.Code
		kind  storage.IdentifierKind
	}{
		"no address":          {backend.Draft{}, mfa.InvalidRequest, ""},
		"no e-mail address":   {backend.Draft{Email: "ada"}, mfa.InvalidIdentifier, storage.Email},
		"a number as address": {backend.Draft{Email: otherNumber}, mfa.InvalidIdentifier, storage.Email},
		"no number":           {backend.Draft{Phone: "4152222222"}, mfa.InvalidIdentifier, storage.Phone},
		"an impossible one":   {backend.Draft{Email: mfatest.OtherEmail, Phone: "+1415222"}, mfa.InvalidIdentifier, storage.Phone},
		"a taken address":     {backend.Draft{Email: "ADA@example.com", Phone: otherNumber}, mfa.IdentifierTaken, storage.Email},
		"a taken number":      {backend.Draft{Email: mfatest.OtherEmail, Phone: number}, mfa.IdentifierTaken, storage.Phone},
		"large metadata":      {backend.Draft{Email: mfatest.OtherEmail, Metadata: backend.Metadata{Trusted: large}}, mfa.InvalidRequest, ""},
		"too many keys":       {backend.Draft{Email: mfatest.OtherEmail, Metadata: backend.Metadata{Untrusted: many}}, mfa.InvalidRequest, ""},
		"an odd external ID":  {backend.Draft{Email: mfatest.OtherEmail, Metadata: backend.Metadata{ExternalID: "a b"}}, mfa.InvalidRequest, ""},
		"a name of two lines": {backend.Draft{Email: mfatest.OtherEmail, Name: backend.Name{First: text("Ada\nAdmin")}}, mfa.InvalidRequest, ""},
		"a name turned round": {backend.Draft{Email: mfatest.OtherEmail, Name: backend.Name{Last: text("\u202eadA")}}, mfa.InvalidRequest, ""},
		"a long name":         {backend.Draft{Email: mfatest.OtherEmail, Name: backend.Name{Middle: text(strings.Repeat("x", 256))}}, mfa.InvalidRequest, ""},
	} {
		_, err := h.Backend.CreateUser(context.Background(), h.Caller, tc.draft)
		refused(t, name, err, tc.code, tc.kind)
	}
	_, err := h.Backend.Send(context.Background(), h.Caller, backend.Send{Kind: storage.Phone, Address: "+1415222", TTL: time.Minute, Create: true})
	refused(t, "a code to an impossible number", err, mfa.InvalidIdentifier, storage.Phone)
	found, err := h.Backend.Search(context.Background(), backend.Query{Limit: 10})
	mfatest.Want(t, "search", err, "")
	if found.Total != 1 {
		t.Errorf("%d users, want 1", found.Total)
	}
	create(h, backend.Draft{Email: mfatest.OtherEmail, Phone: otherNumber})
}

func TestOneOfConcurrentUsersGetsTheAddress(t *testing.T) {
	onBoth(t, func(h *mfatest.Fixture) {
		won := 0
		for _, err := range concurrently(50, func(int) error {
			_, err := h.Backend.CreateUser(context.Background(), h.Caller, backend.Draft{Email: mfatest.Email})
			return err
		}) {
			if err == nil {
				won++
				continue
			}
			refused(h.T, "a loser", err, mfa.IdentifierTaken, storage.Email)
		}
		found, err := h.Backend.Search(context.Background(), backend.Query{Limit: 10})
		mfatest.Want(h.T, "search", err, "")
		if won != 1 || found.Total != 1 {
			h.T.Errorf("%d of 50 callers won, %d users", won, found.Total)
		}
	})
}

func TestAChangeAddsAndMerges(t *testing.T) {
	h := mfatest.New(t)
	ctx := context.Background()
	a := create(h, backend.Draft{Email: mfatest.Email, Name: backend.Name{First: text("Ada"), Last: text("Byron")},
		Metadata: backend.Metadata{Trusted: map[string]json.RawMessage{"a": json.RawMessage("1"), "b": json.RawMessage("2")}}})
	mfatest.Want(t, "a claim of the user", h.Store.UpdateUser(ctx, storage.UserChange{ID: a.User.ID, Now: h.Now(),
		Profile: map[string]any{"locale": "de", "given_name": "Ada", "family_name": "Byron"}}), "")
	got, named, err := h.Backend.ChangeUser(ctx, h.Caller, a.User.ID, backend.Change{Name: backend.Name{Last: text("Lovelace"), First: text("")},
		Emails: []string{"ADA@example.com", mfatest.OtherEmail, "bob@Example.com"}, Phones: []string{number},
		Trusted: map[string]json.RawMessage{"a": json.RawMessage("null"), "c": json.RawMessage("[3]")}, Untrusted: map[string]json.RawMessage{"u": json.RawMessage("true")},
		ExternalID: text("x")})
	mfatest.Want(t, "change", err, "")
	if len(got.Identifiers) != 3 || len(named) != 3 || named[0].ID != a.Identifiers[0].ID || named[1].Value != mfatest.OtherEmail || named[2].Value != number {
		t.Errorf("identifiers %+v, named %+v", got.Identifiers, named)
	}
	first, _, last := backend.NameOf(got.User)
	if first != "" || last != "Lovelace" || got.User.Profile["locale"] != "de" {
		t.Errorf("profile %v", got.User.Profile)
	}
	if text := string(got.User.Metadata); text != `{"trusted":{"b":2,"c":[3]},"untrusted":{"u":true},"external_id":"x"}` {
		t.Errorf("metadata %s", text)
	}
	if h.CountEvents(mfa.EventUserChanged) != 1 {
		t.Error("the change was not logged")
	}
	again, named, err := h.Backend.ChangeUser(ctx, h.Caller, a.User.ID, backend.Change{Emails: []string{mfatest.Email}})
	mfatest.Want(t, "no change", err, "")
	if len(named) != 1 || len(again.Identifiers) != 3 || h.CountEvents(mfa.EventUserChanged) != 1 {
		t.Errorf("without a change: %+v, %d events", named, h.CountEvents(mfa.EventUserChanged))
	}
	_, _, err = h.Backend.ChangeUser(ctx, h.Caller, "x", backend.Change{ExternalID: text("x")})
	mfatest.Want(t, "an unknown user", err, mfa.UserNotFound)
}

func TestAChangeWithATakenAddressChangesNothing(t *testing.T) {
	h := mfatest.New(t)
	a := create(h, backend.Draft{Email: mfatest.Email})
	create(h, backend.Draft{Phone: number})
	for kind, c := range map[storage.IdentifierKind]backend.Change{
		storage.Phone: {Emails: []string{"new@example.com"}, Phones: []string{number}},
		storage.Email: {Emails: []string{"new@example.com", "no address"}},
	} {
		c.Name.First, c.ExternalID = text("Ada"), text("x")
		_, _, err := h.Backend.ChangeUser(context.Background(), h.Caller, a.User.ID, c)
		code := mfa.IdentifierTaken
		if kind == storage.Email {
			code = mfa.InvalidIdentifier
		}
		refused(t, "change", err, code, kind)
	}
	got, err := h.Backend.User(context.Background(), a.User.ID)
	mfatest.Want(t, "read", err, "")
	if first, _, _ := backend.NameOf(got.User); len(got.Identifiers) != 1 || first != "" || backend.MetadataOf(got.User).ExternalID != "" || !got.User.UpdatedAt.Equal(a.User.UpdatedAt) {
		t.Errorf("changed to %+v", got)
	}
	if h.CountEvents(mfa.EventUserChanged) != 0 {
		t.Error("a refused change was logged")
	}
}

func TestConcurrentMergesLoseNothing(t *testing.T) {
	onBoth(t, func(h *mfatest.Fixture) {
		a := create(h, backend.Draft{Email: mfatest.Email})
		for _, err := range concurrently(16, func(i int) error {
			_, _, err := h.Backend.ChangeUser(context.Background(), h.Caller, a.User.ID, backend.Change{
				Trusted: map[string]json.RawMessage{fmt.Sprint(i): json.RawMessage("true")}, Emails: []string{fmt.Sprintf("ada%d@example.com", i)}})
			return err
		}) {
			mfatest.Want(h.T, "merge", err, "")
		}
		got, err := h.Backend.User(context.Background(), a.User.ID)
		mfatest.Want(h.T, "read", err, "")
		if m := backend.MetadataOf(got.User); len(m.Trusted) != 16 || len(got.Identifiers) != 17 {
			h.T.Errorf("%d keys, %d identifiers: %+v", len(m.Trusted), len(got.Identifiers), m)
		}
	})
}

func TestAnAddressOnTrialIsKeptByAChange(t *testing.T) {
	h := mfatest.New(t)
	ctx := context.Background()
	a, b := create(h, backend.Draft{Email: mfatest.Email}), create(h, backend.Draft{Phone: number})
	trial := func(value string) storage.Identifier {
		i := storage.Identifier{ID: storage.IdentifierID(storage.TimeOrdered(h.Now(), strings.NewReader(strings.Repeat(value, 4)))), UserID: a.User.ID,
			Kind: storage.Email, Value: value, ExpiresAt: h.Now().Add(5 * time.Minute), CreatedAt: h.Now(), UpdatedAt: h.Now()}
		mfatest.Want(t, "attach", h.Store.AddIdentifier(ctx, i, nil), "")
		return i
	}
	kept, lost := trial("kept@example.com"), trial("lost@example.com")
	_, _, err := h.Backend.ChangeUser(ctx, h.Caller, b.User.ID, backend.Change{Emails: []string{lost.Value}})
	refused(t, "an address on trial", err, mfa.IdentifierTaken, storage.Email)
	_, named, err := h.Backend.ChangeUser(ctx, h.Caller, a.User.ID, backend.Change{Emails: []string{kept.Value}})
	mfatest.Want(t, "keep", err, "")
	if len(named) != 1 || named[0].ID != kept.ID || !named[0].ExpiresAt.IsZero() {
		t.Errorf("kept %+v", named)
	}
	h.Advance(5 * time.Minute)
	got, err := h.Backend.User(ctx, a.User.ID)
	mfatest.Want(t, "read", err, "")
	if len(got.Identifiers) != 2 {
		t.Errorf("after five minutes: %+v", got.Identifiers)
	}
	_, err = h.Backend.DeleteIdentifier(ctx, h.Caller, storage.Email, lost.ID)
	refused(t, "delete an expired address", err, mfa.IdentifierNotFound, storage.Email)
	_, named, err = h.Backend.ChangeUser(ctx, h.Caller, b.User.ID, backend.Change{Emails: []string{lost.Value}})
	mfatest.Want(t, "an expired address", err, "")
	if len(named) != 1 || named[0].UserID != b.User.ID {
		t.Errorf("got %+v", named)
	}
}
