package signup_test

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/signup"
	"sallyport/mfa/ticket"
	"sallyport/storage"
)

// Whoever has an address: asking costs the same. The mail tells its reader alone.
func TestWhatAnAddressIsWrittenTo(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		f.people()
		f.Caller.Address = "192.0.2.1"
		type cost struct{ statements, commits int64 }
		costs := map[cost]string{}
		for address, want := range map[string]string{
			nova: notice.SignUp, "half@example.com": notice.SignUp, "unpr@example.com": notice.SignUp, " UNPR2@Example.com": notice.SignUp,
			"prvn@example.com": notice.SignUpTaken, "dead@example.com": notice.SignUpTaken, "gone@example.com": notice.SignUpTaken, "wait@example.com": notice.SignUpTaken,
		} {
			before := f.Store.Stats()
			if err := f.signups.Ask(t.Context(), f.Caller, address, back); err != nil {
				t.Fatalf("%s: %v", address, err)
			}
			after := f.Store.Stats()
			costs[cost{after.Statements - before.Statements, after.Commits - before.Commits}] += " " + address
			jobs := f.lease(signup.Kind)
			if len(jobs) != 1 {
				t.Fatalf("%s: %d jobs", address, len(jobs))
			}
			if got := f.work(jobs); len(got) != 1 || got[0].Template != want || !strings.EqualFold(got[0].Recipient, strings.TrimSpace(address)) {
				t.Errorf("%s: messages = %+v, want %s", address, got, want)
			} else if (got[0].Data["link"] != "") != (want == notice.SignUp) {
				t.Errorf("%s: %s with link %q", address, want, got[0].Data["link"])
			}
		}
		if len(costs) != 1 {
			t.Errorf("costs differ by address: %v", costs)
		}
		if got, want := f.reasons(mfa.EventSignUpRequested), map[string]int{"ok": 4, "refused taken": 4}; !maps.Equal(got, want) {
			t.Errorf("events = %v, want %v", got, want)
		}
		for _, address := range []string{"ada", "+14152222222", "not an address"} {
			if err := f.signups.Ask(t.Context(), f.Caller, address, back); err == nil {
				t.Errorf("%q was accepted", address)
			}
		}
	})
}

// The mode of a client counts, while it is enabled; nobody signs up where the server says off.
func TestWhoMaySignUpByMode(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		f.people()
		for client, want := range map[storage.ClientID]string{"": signup.Open, "app": signup.Open, "club": signup.Invited, "shut": signup.Off, "gone": signup.Open, "nobody": signup.Open} {
			if got, err := f.signups.ModeOf(t.Context(), client); got != want || err != nil {
				t.Errorf("mode of %q = %s, %v, want %s", client, got, err, want)
			}
		}
		if got := f.ask("club", nova); len(got) != 0 {
			t.Errorf("a stranger got %+v", got)
		}
		if got := f.ask("club", "unpr@example.com"); len(got) != 0 {
			t.Errorf("a claim gave way where only pending users come in: %+v", got)
		}
		got := f.ask("club", "half@example.com")
		if len(got) != 1 {
			t.Fatalf("a pending user got %+v", got)
		}
		if got, want := f.reasons(mfa.EventSignUpRequested), map[string]int{"ok": 1, "refused not_invited": 2}; !maps.Equal(got, want) {
			t.Errorf("events = %v, want %v", got, want)
		}
		mfatest.Want(t, "where it is off", f.signups.Ask(t.Context(), f.Caller, nova, ticket.Return{Client: "shut"}), mfa.NotConfigured)

		// The mode is that of now, not of when the message was requested.
		stranger, _ := f.asked(nova)
		f.clients["app"] = storage.Client{ID: "app", SignUp: signup.Invited}
		_, err := f.accept(stranger, fresh)
		mfatest.Want(t, "a stranger's link where only pending users come in now", err, mfa.InvalidExchange)
		f.clients["club"] = storage.Client{ID: "club", SignUp: signup.Off}
		link := strings.TrimPrefix(got[0].Data["link"], page)
		_, err = f.accept(link, fresh)
		mfatest.Want(t, "a link where it is off now", err, mfa.InvalidExchange)
		f.clients["club"] = storage.Client{ID: "club", SignUp: signup.Invited}
		_, err = f.accept(link, fresh)
		mfatest.Want(t, "and on again", err, "")

		off := newFixture(t, "", signup.Off)
		off.clients["app"] = storage.Client{ID: "app", SignUp: signup.Open}
		mfatest.Want(t, "a client of a server where it is off", off.signups.Ask(t.Context(), off.Caller, nova, back), mfa.NotConfigured)
	})
}

// A pending user keeps what was decided about them, and loses what somebody could have prepared.
func TestAPendingUserIsClaimed(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		f.people()
		before := f.account("half@example.com")
		parked := storage.Session{ID: storage.SessionID(storage.TimeOrdered(f.Now(), rand.Reader)), UserID: before.User.ID, Origin: "browser", Generation: 1,
			CreatedAt: f.Now(), ExpiresAt: f.Now().Add(12 * time.Hour)}
		mfatest.Want(t, "park a session", f.Store.CreateSession(t.Context(), parked, nil), "")
		sibling, siblingCode := f.asked("half@example.com")
		link, code := f.asked("half@example.com")
		done, err := f.accept(link, fresh)
		mfatest.Want(t, "accept", err, "")
		a := f.account("half@example.com")
		if done.User != before.User.ID || a.User.ID != before.User.ID || a.User.Status != storage.UserActive || !slices.Equal(a.User.Roles, []string{"member"}) ||
			a.User.Profile["given_name"] != "Ada" || a.Identifiers[0].VerifiedAt.IsZero() || a.User.Terms.Version != "7" || !a.User.Terms.AcceptedAt.Equal(f.Now()) {
			t.Errorf("the user is %+v", a)
		}
		if len(a.Authenticators) != 1 || a.Authenticators[0].ID != done.Authenticator {
			t.Errorf("authenticators = %+v, want the new password alone", a.Authenticators)
		}
		if _, _, err := f.Store.Session(t.Context(), parked.ID, f.Now()); err == nil {
			t.Error("the parked session is valid")
		}
		mfatest.Want(t, "the parked password", f.SignIn(f.OpenRequest(), "half@example.com", mfatest.Password), mfa.InvalidCredentials)
		mfatest.Want(t, "the new password", f.SignIn(f.OpenRequest(), "half@example.com", fresh), "")
		for what, link := range map[string]string{"the link again": link, "its sibling": sibling} {
			_, err := f.accept(link, fresh)
			mfatest.Want(t, what, err, mfa.InvalidExchange)
		}
		for _, code := range []string{code, siblingCode} {
			mfatest.Want(t, "the code of a used link", f.guess(f.Caller.Browser, "half@example.com", code), mfa.InvalidPasscode)
		}
	})
}

// A link that was sent before its address became that of a user, or its user was disabled, is over.
func TestALinkIsOverWhenItsAddressIsTaken(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		f.people()
		link, code := f.asked("half@example.com")
		pending, disabled := f.account("half@example.com"), storage.UserDisabled
		if err := f.Store.UpdateUser(t.Context(), storage.UserChange{ID: pending.User.ID, Status: &disabled, Kill: true, Now: f.Now()}); err != nil {
			t.Fatal(err)
		}
		_, err := f.accept(link, fresh)
		mfatest.Want(t, "the link of a disabled user", err, mfa.InvalidExchange)
		mfatest.Want(t, "its code", f.guess(f.Caller.Browser, "half@example.com", code), mfa.InvalidPasscode)
		if a := f.account("half@example.com"); a.User.Status != storage.UserDisabled || len(a.Authenticators) != len(pending.Authenticators) {
			t.Errorf("the user is %+v", a)
		}

		// An active user's claim that is proven in between.
		link, _ = f.asked("unpr@example.com")
		claim := f.account("unpr@example.com")
		i := slices.IndexFunc(claim.Identifiers, func(i storage.Identifier) bool { return i.Kind == storage.Email })
		if err := f.Store.UpdateUser(t.Context(), storage.UserChange{ID: claim.User.ID, Now: f.Now(), Names: &storage.NamesChange{Verify: []storage.IdentifierID{claim.Identifiers[i].ID}}}); err != nil {
			t.Fatal(err)
		}
		_, err = f.accept(link, fresh)
		mfatest.Want(t, "the link of an address that was proven", err, mfa.InvalidExchange)
	})
}

// Of many that accept at once one becomes the user, with the password of that one.
func TestOfRacingAcceptancesOneWins(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		for _, address := range []string{nova, "half@example.com", "unpr@example.com"} {
			f := newFixture(t, dsn, signup.Open)
			if f.account("prvn@example.com") == nil {
				f.people()
			}
			first, _ := f.asked(address)
			second, _ := f.asked(address)
			var all sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				all.Go(func() { _, errs[i] = f.accept([]string{first, second}[i%2], fresh+strings.Repeat(" again", i)) })
			}
			all.Wait()
			won := -1
			for i, err := range errs {
				switch {
				case err == nil && won < 0:
					won = i
				case mfa.CodeOf(err) != mfa.InvalidExchange:
					t.Errorf("%s: %d: %v, want one winner and else invalid_exchange", address, i, err)
				}
			}
			if won < 0 {
				t.Fatalf("%s: nobody won: %v", address, errs)
			}
			mfatest.Want(t, "the winner's password", f.SignIn(f.OpenRequest(), address, fresh+strings.Repeat(" again", won)), "")
			if a := f.account(address); len(a.Authenticators) != 1 || len(a.Identifiers) != 1 {
				t.Errorf("%s: the user is %+v", address, a)
			}
			if dsn != "" {
				return // one database for one fixture
			}
		}
	})
}

// A link expires, is kept for a while to say so, and is then swept with everything else of the sign-up.
func TestWhatIsHalfMadeIsSwept(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		link, code := f.asked(nova)
		f.Advance(time.Hour - 2*time.Minute)
		o, err := f.signups.Open(t.Context(), signup.Purpose, link)
		mfatest.Want(t, "after its hour", err, mfa.InvalidExchange)
		if o.Return.Client != back.Client {
			t.Errorf("an expired link leads to %+v, want the application its reader came from", o.Return)
		}
		mfatest.Want(t, "its code", f.guess(f.Caller.Browser, nova, code), mfa.InvalidPasscode)
		if _, err := f.Store.Sweep(t.Context(), f.Now(), 1000); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Store.TicketByLink(t.Context(), signup.Purpose, link); err != nil {
			t.Errorf("the ticket is gone at once: %v", err)
		}
		f.Advance(40 * 24 * time.Hour)
		if _, err := f.Store.Sweep(t.Context(), f.Now(), 1000); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Store.TicketByLink(t.Context(), signup.Purpose, link); err == nil {
			t.Error("the ticket is still there")
		}
		if list, err := f.Store.ListMessages(t.Context(), storage.MessageFilter{Limit: 10}); len(list) != 0 || err != nil {
			t.Errorf("messages = %+v, %v", list, err)
		}
		if f.account(nova) != nil {
			t.Error("there is a user")
		}
	})
}

// A client's own terms take the place of the server's; what is recorded says whose they were.
func TestTermsAreTheClientsOrTheServers(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		f.clients["own"] = storage.Client{ID: "own", TermsURL: "https://own.example/terms", TermsVersion: "own 3"}
		for client, want := range map[storage.ClientID]storage.Terms{
			"app": {URL: "https://example.com/terms", Version: "7"},
			"own": {Client: "own", URL: "https://own.example/terms", Version: "own 3"},
			"":    {URL: "https://example.com/terms", Version: "7"},
		} {
			address := string(client) + "x@example.com"
			o, err := f.signups.Open(t.Context(), signup.Purpose, strings.TrimPrefix(f.ask(client, address)[0].Data["link"], page))
			if err != nil || o.Terms != (signup.Terms{Client: want.Client, URL: want.URL, Version: want.Version}) {
				t.Fatalf("%q: terms = %+v, %v, want %+v", client, o.Terms, err, want)
			}
			for _, version := range []string{"", "8", map[bool]string{true: "7", false: "own 3"}[client == "own"]} {
				_, err = f.signups.Accept(t.Context(), f.Caller, o, signup.Acceptance{Terms: version, Password: fresh})
				mfatest.Want(t, "version "+version, err, mfa.TermsRequired)
			}
			_, err = f.signups.Accept(t.Context(), f.Caller, o, signup.Acceptance{Terms: want.Version, Password: fresh})
			mfatest.Want(t, "its own version", err, "")
			want.AcceptedAt = f.account(address).User.CreatedAt
			if got := f.account(address).User.Terms; got != want {
				t.Errorf("%q: recorded %+v, want %+v", client, got, want)
			}
		}
		// A form of before the client had terms of its own is shown again.
		link, _ := f.asked("before@example.com")
		f.clients["app"] = storage.Client{ID: "app", TermsURL: "https://app.example/terms", TermsVersion: "1"}
		_, err := f.accept(link, fresh)
		mfatest.Want(t, "the terms of before", err, mfa.TermsRequired)
	})
}
