package signup_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/delivery"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/signup"
	"sallyport/mfa/ticket"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

const (
	fresh = "seven ships at sea"
	nova  = "nova@example.com" // nobody's
	page  = "https://login.example.com/signup/"
)

// fixture is a server's part that signs people up.
type fixture struct {
	*mfatest.Fixture
	signups *signup.SignUps
	clients map[storage.ClientID]storage.Client
}

func newFixture(t *testing.T, dsn, mode string) *fixture {
	t.Helper()
	f := &fixture{Fixture: mfatest.NewAt(t, dsn), clients: map[storage.ClientID]storage.Client{"app": {ID: "app"}, "club": {ID: "club", SignUp: signup.Invited},
		"shut": {ID: "shut", SignUp: signup.Off}, "gone": {ID: "gone", SignUp: signup.Invited, Disabled: true}}}
	f.signups = signup.New(f.Store, f.Users, f.Keyring, f.Journal, f.Now, rand.Reader, signup.Options{Product: "Sallyport", Page: page, Mode: mode, Life: time.Hour,
		Terms: signup.Terms{URL: "https://example.com/terms", Version: "7"}, Methods: f.Verifier.Methods(),
		Client: func(_ context.Context, id storage.ClientID) (storage.Client, error) {
			if c, ok := f.clients[id]; ok {
				return c, nil
			}
			return storage.Client{}, storage.ErrNotFound
		}})
	return f
}

func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storagetest.Postgres(t)) })
}

// back is the login that most tests come from.
var back = ticket.Return{Client: "app", Request: "the-request"}

// ask requests a message in a client and does what the server does in the background. It returns the
// messages to people that this wrote.
func (f *fixture) ask(client storage.ClientID, address string) []storage.Message {
	f.T.Helper()
	if err := f.signups.Ask(f.T.Context(), f.Caller, address, ticket.Return{Client: client, Request: back.Request}); err != nil {
		f.T.Fatalf("ask for %s: %v", address, err)
	}
	out := f.work(f.lease(signup.Kind))
	f.Advance(2 * time.Minute) // until another message can be requested
	return out
}

// work does jobs, twice as after an interruption, and returns the messages that this wrote.
func (f *fixture) work(jobs []storage.Message) []storage.Message {
	f.T.Helper()
	for _, m := range jobs {
		for range 2 {
			if err := f.signups.Send(f.T.Context(), delivery.Outgoing{ID: m.ID, Kind: m.Kind, Locale: m.Locale, Data: m.Data}); err != nil {
				f.T.Fatal(err)
			}
		}
	}
	return f.lease(notice.Mail)
}

// asked returns the link and the code of the only message to an address.
func (f *fixture) asked(address string) (link, code string) {
	f.T.Helper()
	got := f.ask("app", address)
	if len(got) != 1 || got[0].Template != notice.SignUp || got[0].Recipient != address {
		f.T.Fatalf("messages = %+v, want one to %s", got, address)
	}
	link, ours := strings.CutPrefix(got[0].Data["link"], page)
	if !ours {
		f.T.Fatalf("link = %q", got[0].Data["link"])
	}
	return link, got[0].Data["code"]
}

func (f *fixture) lease(kind string) []storage.Message {
	f.T.Helper()
	out, err := f.Store.LeaseMessages(f.T.Context(), storage.Lease{Kind: kind, Now: f.Now(), For: 24 * time.Hour, Limit: 100})
	if err != nil {
		f.T.Fatal(err)
	}
	return out
}

// accept opens a link and becomes a user.
func (f *fixture) accept(link, password string) (signup.Accepted, error) {
	o, err := f.signups.Open(context.Background(), signup.Purpose, link)
	if err != nil {
		return signup.Accepted{}, err
	}
	return f.signups.Accept(context.Background(), f.Caller, o, signup.Acceptance{Terms: "7", Password: password})
}

// guess types a code in a browser.
func (f *fixture) guess(browser, address, code string) error {
	caller := f.Caller
	caller.Browser = browser
	_, err := f.signups.Guess(f.T.Context(), caller, address, code, ticket.Return{})
	return err
}

// account returns who has a name; nil: nobody.
func (f *fixture) account(name string) *storage.Account {
	f.T.Helper()
	a, err := f.Store.AccountByIdentifier(f.T.Context(), name, f.Now())
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		f.T.Fatal(err)
	}
	return &a
}

// reasons counts the events of a kind by outcome and reason.
func (f *fixture) reasons(kind string) map[string]int {
	f.T.Helper()
	if err := f.Journal.Flush(f.T.Context()); err != nil {
		f.T.Fatal(err)
	}
	list, err := f.Store.ListEvents(f.T.Context(), storage.EventFilter{Kind: kind, Limit: 1000})
	if err != nil {
		f.T.Fatal(err)
	}
	out := map[string]int{}
	for _, e := range list {
		out[strings.TrimSpace(e.Outcome+" "+e.Detail["reason"])]++
	}
	return out
}

// people creates a user of every kind that an address can be of.
func (f *fixture) people() {
	f.T.Helper()
	f.Create(users.Draft{Username: "prvn", Email: "prvn@example.com", EmailVerified: true, Password: mfatest.Password})
	f.Create(users.Draft{Username: "unpr", Email: "unpr@example.com", Password: mfatest.Password})
	f.Create(users.Draft{Email: "half@example.com", Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey, Roles: []string{"member"}, Status: storage.UserPending,
		Profile: map[string]any{"given_name": "Ada"}})
	f.Create(users.Draft{Username: "dead", Email: "dead@example.com", Password: mfatest.Password, Status: storage.UserDisabled})
	f.Create(users.Draft{Username: "gone", Email: "gone@example.com", EmailVerified: true, Password: mfatest.Password, Status: storage.UserDisabled})
	waits := f.Create(users.Draft{Username: "wait", Email: "wait@example.com", EmailVerified: true, Password: mfatest.Password})
	pending := storage.UserPending // again, after an address was proven
	if err := f.Store.UpdateUser(f.T.Context(), storage.UserChange{ID: waits.ID, Status: &pending, Kill: true, Now: f.Now()}); err != nil {
		f.T.Fatal(err)
	}
}
