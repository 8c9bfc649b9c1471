package reset_test

import (
	"context"
	"crypto/rand"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/delivery"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/reset"
	"sallyport/mfa/ticket"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

const fresh = "seven ships at sea"

// fixture is a server's part that resets passwords.
type fixture struct {
	*mfatest.Fixture
	resets *reset.Resets
}

func newFixture(t *testing.T, dsn string) *fixture {
	t.Helper()
	f := &fixture{Fixture: mfatest.NewAt(t, dsn)}
	f.resets = reset.New(f.Store, f.Verifier, f.Users, f.Keyring, f.Journal, f.Now, rand.Reader, reset.Options{
		Product: "Sallyport", Page: "https://login.example.com/reset/", Life: time.Hour, Mail: true})
	return f
}

func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storagetest.Postgres(t)) })
}

// EventsOf returns the audit events of a kind.
func (f *fixture) EventsOf(kind string) []storage.Event {
	f.T.Helper()
	if err := f.Journal.Flush(f.T.Context()); err != nil {
		f.T.Fatal(err)
	}
	out, err := f.Store.ListEvents(f.T.Context(), storage.EventFilter{Kind: kind, Limit: 1000})
	if err != nil {
		f.T.Fatal(err)
	}
	return out
}

// ask requests a message and does what the server does in the background. It returns the values
// of the messages to users that this wrote.
func (f *fixture) ask(name string) []storage.Message {
	f.T.Helper()
	if err := f.resets.Ask(f.T.Context(), f.Caller, name, ticket.Return{Client: "app", Request: "the-request"}); err != nil {
		f.T.Fatalf("ask for %s: %v", name, err)
	}
	return f.work()
}

func (f *fixture) work() []storage.Message {
	f.T.Helper()
	jobs := f.lease(reset.Kind)
	for _, m := range jobs {
		for range 2 { // interrupted after the first, whose outcome was lost
			if err := f.resets.Send(f.T.Context(), delivery.Outgoing{ID: m.ID, Kind: m.Kind, Locale: m.Locale, Data: m.Data}); err != nil {
				f.T.Fatal(err)
			}
		}
	}
	return slices.DeleteFunc(f.lease(notice.Mail), func(m storage.Message) bool { return m.Template != notice.PasswordReset })
}

func (f *fixture) lease(kind string) []storage.Message {
	f.T.Helper()
	out, err := f.Store.LeaseMessages(f.T.Context(), storage.Lease{Kind: kind, Now: f.Now(), For: 24 * time.Hour, Limit: 100})
	if err != nil {
		f.T.Fatal(err)
	}
	return out
}

// asked returns the link and the code of the only message to Ada.
func (f *fixture) asked() (link, code string) {
	f.T.Helper()
	got := f.ask("ada")
	if len(got) != 1 {
		f.T.Fatalf("%d messages, want one", len(got))
	}
	link, ours := strings.CutPrefix(got[0].Data["link"], "https://login.example.com/reset/")
	if !ours {
		f.T.Fatalf("link = %q", got[0].Data["link"])
	}
	f.Advance(2 * time.Minute) // until another message can be requested
	return link, got[0].Data["code"]
}

// set opens a link and sets a password.
func (f *fixture) set(link, plain string) error {
	o, err := f.resets.Open(context.Background(), link)
	if err != nil {
		return err
	}
	return f.resets.Set(context.Background(), f.Caller, o, plain)
}

func (f *fixture) setStatus(u storage.User, s storage.UserStatus) {
	f.T.Helper()
	if err := f.Store.UpdateUser(f.T.Context(), storage.UserChange{ID: u.ID, Status: &s, Kill: s != storage.UserActive, Now: f.Now()}); err != nil {
		f.T.Fatal(err)
	}
}

func TestOnlyAUserWithAProvenAddressAndAPasswordGetsAMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		f.CreateAda()
		f.Create(users.Draft{Username: "unproven", Email: "unproven@example.com", Password: mfatest.Password})
		f.Create(users.Draft{Username: "mailless", Password: mfatest.Password})
		f.Create(users.Draft{Username: "keyless", Email: "keyless@example.com", EmailVerified: true})
		f.setStatus(f.Create(users.Draft{Username: "disabled", Email: "disabled@example.com", EmailVerified: true, Password: mfatest.Password}), storage.UserDisabled)
		f.setStatus(f.Create(users.Draft{Username: "pending", Email: "pending@example.com", EmailVerified: true, Password: mfatest.Password}), storage.UserPending)
		type cost struct{ statements, commits int64 }
		costs := map[string]cost{}
		for name, want := range map[string]string{
			"ada": "ada@example.com", " ADA@Example.com ": "ada@example.com", "nobody": "", "nobody@example.com": "", "unproven": "", "unproven@example.com": "",
			"mailless": "", "keyless@example.com": "", "disabled@example.com": "", "pending@example.com": "",
		} {
			before := f.Store.Stats()
			if err := f.resets.Ask(t.Context(), f.Caller, name, ticket.Return{}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			after := f.Store.Stats()
			costs[name] = cost{after.Statements - before.Statements, after.Commits - before.Commits}
			got := f.work()
			if (want != "") != (len(got) == 1) {
				t.Fatalf("%s: %d messages, want one to %q", name, len(got), want)
			}
			if want == "" {
				continue
			}
			m := got[0]
			if m.Recipient != want || m.Template != notice.PasswordReset || m.Data["minutes"] != "60" || !regexp.MustCompile(`^[0-9]{9}$`).MatchString(m.Data["code"]) {
				t.Errorf("%s: message = %+v", name, m)
			}
		}
		if all := slices.Compact(slices.Collect(maps.Values(costs))); len(all) != 1 || all[0].commits != 1 {
			t.Errorf("costs differ by name: %v", costs)
		}
		reasons := map[string]int{}
		for _, e := range f.EventsOf(mfa.EventResetRequested) {
			reasons[e.Outcome+" "+e.Detail["reason"]]++
		}
		if want := map[string]int{"ok ": 2, "refused no_address": 3, "refused no_password": 1, "refused inactive": 2}; !maps.Equal(reasons, want) {
			t.Errorf("events = %v, want %v", reasons, want)
		}
	})
}

func TestALinkSetsOnePasswordAndEndsEverything(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		ada := f.CreateAda()
		session := storage.Session{ID: storage.SessionID(storage.TimeOrdered(f.Now(), rand.Reader)), UserID: ada.ID, Origin: "browser", Generation: 1,
			CreatedAt: f.Now(), ExpiresAt: f.Now().Add(12 * time.Hour)}
		if err := f.Store.CreateSession(t.Context(), session, nil); err != nil {
			t.Fatal(err)
		}
		earlier := f.SignedIn()
		sibling, siblingCode := f.asked()
		link, code := f.asked()
		for range 5 { // as scanners of messages do
			if _, err := f.resets.Open(t.Context(), link); err != nil {
				t.Fatal(err)
			}
		}
		mfatest.Want(t, "a weak password", f.set(link, "password"), mfa.PasswordTooCommon)
		mfatest.Want(t, "a short password", f.set(link, "short"), mfa.PasswordTooShort)
		mfatest.Want(t, "the old password still", f.SignIn(f.OpenRequest(), "ada", mfatest.Password), "")
		mfatest.Want(t, "set", f.set(link, fresh), "")

		mfatest.Want(t, "the link again", f.set(link, "another ship at sea"), mfa.InvalidExchange)
		mfatest.Want(t, "its sibling", f.set(sibling, "another ship at sea"), mfa.InvalidExchange)
		for _, c := range []string{code, siblingCode} {
			_, err := f.resets.Guess(t.Context(), f.Caller, "ada", c, ticket.Return{})
			mfatest.Want(t, "the code of a used link", err, mfa.InvalidPasscode)
		}
		mfatest.Want(t, "the old password", f.SignIn(f.OpenRequest(), "ada", mfatest.Password), mfa.InvalidCredentials)
		id := f.OpenRequest()
		mfatest.Want(t, "the new password", f.SignIn(id, "ada", fresh), "")
		if v := f.Verdict(id); v.Need != mfa.NeedSecond {
			t.Error("the new password alone is enough; the second factor was not asked for")
		}
		if _, _, err := f.Store.Session(t.Context(), session.ID, f.Now()); err == nil {
			t.Error("the session from before is valid")
		}
		if r := f.Read(earlier, ""); r.Request.State != storage.RequestCancelled {
			t.Errorf("the login from before is %s", r.Request.State)
		}
		if got := f.lease(notice.Mail); len(got) != 1 || got[0].Template != notice.PasswordChanged {
			t.Errorf("messages = %+v, want the notice", got)
		}
		if got := f.EventsOf(mfa.EventPasswordChanged); len(got) != 1 || got[0].Detail["reason"] != "forgotten" {
			t.Errorf("events = %+v", got)
		}
	})
}

func TestOfRacingPostsOneSetsThePassword(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		f.CreateAda()
		first, _ := f.asked()
		second, _ := f.asked()
		var all sync.WaitGroup
		errs := make([]error, 12)
		for i := range errs {
			all.Go(func() { errs[i] = f.set([]string{first, second}[i%2], fresh+strings.Repeat(" again", i)) })
		}
		all.Wait()
		won := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return mfa.CodeOf(err) == mfa.InvalidExchange })
		if len(won) != 1 || won[0] != nil {
			t.Errorf("got %v, want one success", errs)
		}
	})
}

func TestALinkEndsWithItsHourItsAddressItsPasswordAndItsUser(t *testing.T) {
	f := newFixture(t, "")
	ada := f.CreateAda()
	account := func() storage.Account {
		a, err := f.Store.Account(t.Context(), ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for name, end := range map[string]func(){
		"an hour": func() { f.Advance(time.Hour) },
		"a new password": func() {
			mfatest.Want(t, "change", f.Users.SetPassword(t.Context(), f.Caller, account(), "a lantern in the fog"), "")
		},
		"a disabled user": func() { f.setStatus(ada, storage.UserDisabled); f.setStatus(ada, storage.UserActive) },
	} {
		f.Advance(time.Hour)
		link, code := f.asked()
		if _, err := f.resets.Guess(t.Context(), f.Caller, "ada", code, ticket.Return{}); err != nil {
			t.Fatalf("before %s: %v", name, err)
		}
		end()
		mfatest.Want(t, "the link after "+name, f.set(link, fresh), mfa.InvalidExchange)
		_, err := f.resets.Guess(t.Context(), f.Caller, "ada", code, ticket.Return{})
		mfatest.Want(t, "the code after "+name, err, mfa.InvalidPasscode)
	}
	f.Advance(time.Hour)
	link, _ := f.asked()
	a := account()
	i := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Kind == storage.Email })
	if err := f.Store.UpdateUser(t.Context(), storage.UserChange{ID: ada.ID, Now: f.Now(), Names: &storage.NamesChange{Drop: []storage.IdentifierID{a.Identifiers[i].ID}}}); err != nil {
		t.Fatal(err)
	}
	mfatest.Want(t, "the link after its address", f.set(link, fresh), mfa.InvalidExchange)
}

// Another message brings no further guesses, and too many of them end no link.
func TestWrongCodesAreCountedTogetherAndEndNoLink(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		f.CreateAda()
		guess := func(name, code string) error {
			_, err := f.resets.Guess(t.Context(), f.Caller, name, code, ticket.Return{})
			return err
		}
		first, code := f.asked()
		for range 3 {
			mfatest.Want(t, "the code", guess("ada", code), "")
		}
		for n := range 5 {
			mfatest.Want(t, "a wrong code", guess([]string{"ada", mfatest.Email}[n%2], "not it"), mfa.InvalidPasscode)
			mfatest.Want(t, "a wrong code of nobody", guess("nobody", "not it"), mfa.InvalidPasscode)
		}
		mfatest.Want(t, "the code after five wrong ones", guess("ada", code), mfa.InvalidPasscode)
		second, again := f.asked()
		mfatest.Want(t, "another code", guess("ada", again), mfa.InvalidPasscode)
		mfatest.Want(t, "the first link", f.set(first, fresh), "")
		mfatest.Want(t, "the second link", f.set(second, fresh), mfa.InvalidExchange)
		if n := len(f.EventsOf(mfa.EventResetFailed)); n != 6 {
			t.Errorf("%d events, want one of each wrong code, and one of the wait", n)
		}
		f.Advance(24 * time.Hour)
		_, code = f.asked()
		mfatest.Want(t, "a code on the next day", guess("ada", code), "")
	})
}

// A known and an unknown name differ in nothing that a caller sees of a wrong code.
func TestAWrongCodeCostsTheSameForEveryName(t *testing.T) {
	f := newFixture(t, "")
	f.CreateAda()
	f.asked()
	costs := map[string]int64{}
	for _, name := range []string{"ada", "nobody", "nobody@example.com"} {
		before := f.Store.Stats().Statements
		_, err := f.resets.Guess(t.Context(), f.Caller, name, "12345678", ticket.Return{})
		mfatest.Want(t, name, err, mfa.InvalidPasscode)
		costs[name] = f.Store.Stats().Statements - before
	}
	if costs["ada"] != costs["nobody"] || costs["ada"] != costs["nobody@example.com"] {
		t.Errorf("statements = %v, want the same", costs)
	}
}

func TestMessagesAreLimitedByNameNetworkAndAddress(t *testing.T) {
	f := newFixture(t, "")
	f.CreateAda()
	ask := func(name string) mfa.Code {
		return mfa.CodeOf(f.resets.Ask(t.Context(), f.Caller, name, ticket.Return{}))
	}
	for _, name := range []string{"ada", "nobody"} {
		for n := range 5 {
			if code := ask(name); code != "" {
				t.Errorf("%s %d: %s", name, n, code)
			}
			if code := ask(name); code != mfa.TooManyMessages {
				t.Errorf("%s %d, at once again: %q", name, n, code)
			}
			f.Advance(2 * time.Minute)
		}
		if code := ask(name); code != mfa.TooManyMessages {
			t.Errorf("%s for the sixth time: %q", name, code)
		}
	}
	if n := len(f.work()); n != 5 {
		t.Errorf("%d messages, want five", n)
	}
	// Another name of the same user is another name to whoever asks, and has the same mailbox.
	if code := ask(mfatest.Email); code != "" {
		t.Errorf("another name: %s", code)
	}
	if n := len(f.work()); n != 0 {
		t.Errorf("%d messages beyond the limit of the address", n)
	}
	f.Advance(2 * time.Hour)
	f.Caller.Address = "192.0.2.9"
	for n := range 21 {
		want := mfa.Code("")
		if n == 20 {
			want = mfa.TooManyMessages
		}
		if code := ask("person" + string(rune('a'+n))); code != want {
			t.Errorf("name %d of a network: %q, want %q", n, code, want)
		}
	}
}

// Who guesses the user's codes of an app may also read their mail: a new password gives no
// further guesses.
func TestANewPasswordResetsNoCounterOfAnotherFactor(t *testing.T) {
	f := newFixture(t, "")
	f.CreateAda()
	id := f.SignedIn()
	for range 4 {
		_, err := f.Prove(id, "totp", f.Wrong(), "")
		mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
	}
	link, _ := f.asked()
	mfatest.Want(t, "set", f.set(link, fresh), "")
	id = f.OpenRequest()
	mfatest.Want(t, "sign in", f.SignIn(id, "ada", fresh), "")
	_, err := f.Prove(id, "totp", f.Wrong(), "")
	mfatest.Want(t, "the fifth wrong code", err, mfa.InvalidPasscode)
	_, err = f.Prove(id, "totp", f.Wrong(), "")
	mfatest.Want(t, "during the wait", err, mfa.TooMany)
}
