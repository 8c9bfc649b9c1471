package selfservice_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/passcode"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

const (
	newMail = "ada@new.example"
	number  = "+14152222222"
)

// addressFixture sends codes by mail and text message.
type addressFixture struct{ *mfatest.Fixture }

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(t *testing.T, h addressFixture)) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": func(testing.TB) string { return "" }, "PostgreSQL": storagetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			h := addressFixture{mfatest.NewAt(t, dsn(t))}
			o := passcode.Options{Product: "Sallyport"}
			h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1}, passcode.NewEmail(h.Keyring, rand.Reader, o), passcode.NewSMS(h.Keyring, rand.Reader, o))
			test(t, h)
		})
	}
}

// send has a code sent to an address.
func (h addressFixture) send(o mfa.Owner, n selfservice.NewAddress) (exchange.AddressSent, error) {
	return h.Accounts.SendToAddress(context.Background(), h.Caller, o, n)
}

func (h addressFixture) confirm(o mfa.Owner, id storage.ExchangeID, code string) error {
	return h.Accounts.ProveAddress(context.Background(), h.Caller, o, id, mfa.Typed(code))
}

// prove proves an address, and returns the owner with the account as it is then.
func (h addressFixture) prove(o mfa.Owner, n selfservice.NewAddress) mfa.Owner {
	h.T.Helper()
	sent, err := h.send(o, n)
	mfatest.Want(h.T, "send to "+n.Typed, err, "")
	code, _ := h.SentCode(sent.Address)
	mfatest.Want(h.T, "prove "+n.Typed, h.confirm(o, sent.Exchange, code), "")
	h.Advance(time.Minute)
	o.Account = h.account(o.Account.User.ID)
	return o
}

func (h addressFixture) account(id storage.UserID) storage.Account {
	h.T.Helper()
	a, err := h.Store.Account(context.Background(), id)
	mfatest.Want(h.T, "read account", err, "")
	return a
}

// names returns the names of a user; true: proven.
func (h addressFixture) names(id storage.UserID) map[string]bool {
	h.T.Helper()
	out := map[string]bool{}
	for _, i := range h.account(id).Identifiers {
		out[i.Text()] = !i.VerifiedAt.IsZero()
	}
	return out
}

func (h addressFixture) is(id storage.UserID, want map[string]bool) {
	h.T.Helper()
	if got := h.names(id); !equal(got, want) {
		h.T.Errorf("names = %v, want %v", got, want)
	}
}

func equal(a, b map[string]bool) bool {
	for name := range b {
		if got, ok := a[name]; !ok || got != b[name] {
			return false
		}
	}
	return len(a) == len(b)
}

// idOf returns the ID of a name.
func idOf(a storage.Account, text string) storage.IdentifierID {
	for _, i := range a.Identifiers {
		if i.Text() == text {
			return i.ID
		}
	}
	return ""
}

// told returns the templates of the messages to an address but codes, oldest first.
func (h addressFixture) told(address string) []string {
	h.T.Helper()
	var out []string
	for _, m := range h.Messages() {
		if m.Recipient == address && m.Template != notice.Code {
			out = append([]string{m.Template}, out...)
		}
	}
	return out
}

func TestAnAddressIsAddedProvenChangedAndRemoved(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, Password: mfatest.Password})
		o := h.Session(u.ID, "password")
		o = h.prove(o, selfservice.NewAddress{Kind: storage.Email, Typed: "Ada@Example.com"})
		h.is(u.ID, map[string]bool{"ada": true, mfatest.Email: true})
		sent, err := h.send(o, selfservice.NewAddress{Kind: storage.Phone, Typed: "+1 415 222 2222"})
		mfatest.Want(t, "send", err, "")
		h.is(u.ID, map[string]bool{"ada": true, mfatest.Email: true}) // nothing before the proof
		code, _ := h.SentCode(number)
		mfatest.Want(t, "a wrong code", h.confirm(o, sent.Exchange, other(code)), mfa.InvalidPasscode)
		mfatest.Want(t, "the code", h.confirm(o, sent.Exchange, code), "")
		mfatest.Want(t, "the code again", h.confirm(o, sent.Exchange, code), mfa.EnrollmentExpired)
		o.Account = h.account(u.ID)
		h.is(u.ID, map[string]bool{"ada": true, mfatest.Email: true, number: true})
		created := o.Account.Identifiers[slices.IndexFunc(o.Account.Identifiers, func(i storage.Identifier) bool { return i.Kind == storage.Email })].CreatedAt
		h.Advance(time.Minute)

		sent, err = h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: newMail, Replaces: idOf(o.Account, mfatest.Email)})
		mfatest.Want(t, "change", err, "")
		h.is(u.ID, map[string]bool{"ada": true, mfatest.Email: true, number: true}) // the old one until then
		code, _ = h.SentCode(newMail)
		mfatest.Want(t, "the code", h.confirm(o, sent.Exchange, code), "")
		h.is(u.ID, map[string]bool{"ada": true, newMail: true, number: true})
		o.Account = h.account(u.ID)
		for _, i := range o.Account.Identifiers {
			if i.Text() == newMail && !i.CreatedAt.Equal(created) {
				t.Error("the new address is not in the place of the old one")
			}
		}
		mfatest.Want(t, "remove the number", h.Accounts.RemoveAddress(context.Background(), h.Caller, o, idOf(o.Account, number)), "")
		h.is(u.ID, map[string]bool{"ada": true, newMail: true})
		if got := h.told(mfatest.Email); !slices.Equal(got, []string{notice.AddressAdded, notice.AddressChanged}) {
			t.Errorf("the old address was told %v", got)
		}
		if got := h.told(number); !slices.Equal(got, []string{notice.AddressRemoved}) {
			t.Errorf("the number was told %v", got)
		}
		events := h.Events()
		for _, kind := range []string{mfa.EventAddressVerified, mfa.EventAddressAdded, mfa.EventAddressChanged, mfa.EventAddressRemoved} {
			if !slices.Contains(events, kind) {
				t.Errorf("no event %s in %v", kind, events)
			}
		}
	})
}

func other(code string) string {
	zeros := strings.Repeat("0", len(code))
	if code == zeros {
		return zeros[1:] + "1"
	}
	return zeros
}

func TestNothingTellsThatAnotherAccountHasAnAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		bob := h.Create(users.Draft{Email: mfatest.OtherEmail, EmailVerified: true, Password: mfatest.Password, Profile: map[string]any{"locale": "de-DE"}})
		u := h.CreatePasswordUser()
		o := h.Session(u.ID, "password")
		free, err := h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: "carl@example.com"})
		mfatest.Want(t, "a free address", err, "")
		taken, err := h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: mfatest.OtherEmail})
		mfatest.Want(t, "a taken address", err, "")
		free.Exchange, free.Address, taken.Exchange, taken.Address = "", "", "", ""
		if free != taken {
			t.Errorf("a free address gives %+v, a taken one %+v", free, taken)
		}
		taken, err = h.send(h.Session(h.Create(users.Draft{Username: "eve", Password: mfatest.Password}).ID, "password"), selfservice.NewAddress{Kind: storage.Email, Typed: mfatest.OtherEmail})
		mfatest.Want(t, "a pause", err, mfa.TooManyMessages)
		if _, n := h.SentCode(mfatest.OtherEmail); n != 0 {
			t.Error("a code was sent to the address of another account")
		}
		if got := h.told(mfatest.OtherEmail); !slices.Equal(got, []string{notice.AddressTaken}) {
			t.Errorf("the holder was told %v", got)
		}
		for _, m := range h.Messages() {
			if m.Template == notice.AddressTaken && m.Locale != "de" {
				t.Errorf("the holder was told in %q", m.Locale)
			}
		}
		h.is(bob.ID, map[string]bool{mfatest.OtherEmail: true})
	})
}

// The same for what an address costs: one that is free, one of another account, proven or claimed.
func TestEveryAddressCostsTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		h.Create(users.Draft{Email: mfatest.OtherEmail, EmailVerified: true, Password: mfatest.Password})
		h.Create(users.Draft{Email: "claimed@example.com", Password: mfatest.Password})
		of := map[string][2]int64{}
		for i, typed := range []string{"carl@example.com", mfatest.OtherEmail, "claimed@example.com"} {
			o := h.Session(h.Create(users.Draft{Username: string(rune('a'+i)) + "dam", Password: mfatest.Password}).ID, "password")
			before := h.Store.Stats()
			sent, err := h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: typed})
			mfatest.Want(t, "send to "+typed, err, "")
			mfatest.Want(t, "a guess", h.confirm(o, sent.Exchange, "123456789"), mfa.InvalidPasscode)
			after := h.Store.Stats()
			of[typed] = [2]int64{after.Statements - before.Statements, after.Commits - before.Commits}
		}
		if free := of["carl@example.com"]; of[mfatest.OtherEmail] != free || of["claimed@example.com"] != free {
			t.Errorf("statements and commits: %v, want the same for every address", of)
		}
	})
}

func TestNoCodeProvesAnAddressThatAnotherAccountHas(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		h.Create(users.Draft{Email: mfatest.OtherEmail, EmailVerified: true, Password: mfatest.Password})
		u := h.CreatePasswordUser()
		o := h.Session(u.ID, "password")
		taken, err := h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: mfatest.OtherEmail})
		mfatest.Want(t, "send", err, "")
		for range 4 {
			mfatest.Want(t, "a guess", h.confirm(o, taken.Exchange, "123456789"), mfa.InvalidPasscode)
		}
		h.Advance(time.Minute)
		mfatest.Want(t, "the last guess", h.confirm(o, taken.Exchange, "123456789"), mfa.InvalidPasscode)
		h.Advance(time.Minute)
		mfatest.Want(t, "one more", h.confirm(o, taken.Exchange, "123456789"), mfa.EnrollmentExpired)
	})
}

func TestAClaimGivesWayToAProof(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		squatter := h.Create(users.Draft{Username: "eve", Email: newMail, Password: mfatest.Password})
		u := h.CreatePasswordUser()
		o := h.Session(u.ID, "password")
		sent, err := h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
		mfatest.Want(t, "send", err, "")
		h.is(squatter.ID, map[string]bool{"eve": true, newMail: false})
		code, _ := h.SentCode(newMail)
		mfatest.Want(t, "prove", h.confirm(o, sent.Exchange, code), "")
		h.is(squatter.ID, map[string]bool{"eve": true})
		if !h.names(u.ID)[newMail] {
			t.Error("the address is not proven")
		}
	})
}

func TestOneOfManyAccountsGetsAnAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		const racers = 5
		var owners [racers]mfa.Owner
		var sent [racers]exchange.AddressSent
		var codes [racers]string
		for i := range racers {
			u := h.Create(users.Draft{Username: string(rune('a'+i)) + "dam", Password: mfatest.Password})
			owners[i] = h.Session(u.ID, "password")
			var err error
			sent[i], err = h.send(owners[i], selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
			mfatest.Want(t, "send", err, "")
			codes[i], _ = h.SentCode(newMail)
			h.Advance(61 * time.Second)
		}
		var all sync.WaitGroup
		var errs [racers]error
		for i := range racers {
			all.Go(func() { errs[i] = h.confirm(owners[i], sent[i].Exchange, codes[i]) })
		}
		all.Wait()
		won := 0
		for i, err := range errs {
			switch mfa.CodeOf(err) {
			case "":
				mfatest.Want(t, "a racer", err, "")
				won++
				if !h.names(owners[i].Account.User.ID)[newMail] {
					t.Error("the winner has no address")
				}
			case mfa.IdentifierTaken, mfa.RequestChanged:
			default:
				t.Errorf("racer %d: %v", i, err)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d got the address", won, racers)
		}
	})
}

func TestAChangeOfAddressesNeedsAFreshProofOfItsOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx := context.Background()
		bob := h.Create(users.Draft{Username: "bob", Email: mfatest.OtherEmail, EmailVerified: true, Phone: number, PhoneVerified: true, Password: mfatest.Password})
		u := h.CreateAda()
		weak, o := h.Session(u.ID, "password"), h.Owner(u)
		other := h.account(bob.ID).Identifiers[1].ID
		mail := selfservice.NewAddress{Kind: storage.Email, Typed: newMail}
		_, err := h.send(weak, mail)
		mfatest.Want(t, "a password alone", err, mfa.ReauthenticationRequired)
		mfatest.Want(t, "a password alone removes", h.Accounts.RemoveAddress(ctx, h.Caller, weak, idOf(weak.Account, mfatest.Email)), mfa.ReauthenticationRequired)
		_, err = h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: newMail, Replaces: other})
		mfatest.Want(t, "another user's address", err, mfa.NotConfigured)
		mfatest.Want(t, "removing another user's", h.Accounts.RemoveAddress(ctx, h.Caller, o, other), mfa.NotConfigured)
		for typed, kind := range map[string]storage.IdentifierKind{"bobby": storage.Username, number: storage.Email, "not an address": storage.Email} {
			_, err = h.send(o, selfservice.NewAddress{Kind: kind, Typed: typed})
			mfatest.Want(t, typed, err, mfa.InvalidIdentifier)
		}
		_, err = h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: mfatest.Email})
		mfatest.Want(t, "one's own proven address", err, mfa.IdentifierTaken)

		sent, err := h.send(o, mail)
		mfatest.Want(t, "send", err, "")
		code, _ := h.SentCode(newMail)
		mfatest.Want(t, "another session of the same user", h.confirm(h.Owner(u), sent.Exchange, code), mfa.EnrollmentExpired)
		mfatest.Want(t, "another user", h.confirm(h.Session(bob.ID, "password"), sent.Exchange, code), mfa.EnrollmentExpired)
		_, err = h.Verifier.Verify(ctx, h.Caller, exchange.Answer{Exchange: sent.Exchange, Method: "email", Response: mfa.Typed(code)})
		mfatest.Want(t, "the call of a login", err, mfa.InvalidExchange)
		elsewhere := h.Caller
		elsewhere.Browser = "browser-b"
		mfatest.Want(t, "another browser", h.Accounts.ProveAddress(ctx, elsewhere, o, sent.Exchange, mfa.Typed(code)), mfa.EnrollmentExpired)
		mfatest.Want(t, "end the session", h.Sessions.EndOthers(ctx, h.Caller, h.Owner(u)), "")
		mfatest.Want(t, "a session that has ended", h.confirm(o, sent.Exchange, code), mfa.EnrollmentExpired)
		h.is(u.ID, map[string]bool{"ada": true, mfatest.Email: true})
	})
}

func TestTheLastWayToReachAUserStays(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx := context.Background()
		u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Phone: number, PhoneVerified: true, Password: mfatest.Password})
		o := h.Session(u.ID, "password")
		mfatest.Want(t, "the user name", h.Accounts.RemoveAddress(ctx, h.Caller, o, idOf(o.Account, "ada")), mfa.NotAllowed)
		var errs [2]error
		var all sync.WaitGroup
		for i, text := range []string{mfatest.Email, number} {
			all.Go(func() { errs[i] = h.Accounts.RemoveAddress(ctx, h.Caller, o, idOf(o.Account, text)) })
		}
		all.Wait()
		if codes := []mfa.Code{mfa.CodeOf(errs[0]), mfa.CodeOf(errs[1])}; !slices.Contains(codes, mfa.RequestChanged) || !slices.Contains(codes, "") {
			t.Fatalf("two removals at once: %v", errs)
		}
		o.Account = h.account(u.ID)
		for _, a := range h.Accounts.Addresses(o.Account) {
			if a.Kind != storage.Username {
				mfatest.Want(t, "the last one", h.Accounts.RemoveAddress(ctx, h.Caller, o, a.ID), mfa.NotAllowed)
			}
		}
		if len(o.Account.Identifiers) != 2 {
			t.Errorf("names = %v", h.names(u.ID))
		}
	})
}

func TestASecondFactorMovesAndGoesWithItsAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx := context.Background()
		u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Phone: number, PhoneVerified: true, Password: mfatest.Password})
		o := h.Session(u.ID, "password")
		e, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Name: "Mail", Address: mfatest.Email})
		mfatest.Want(t, "enrol", err, "")
		code, _ := h.SentCode(mfatest.Email)
		_, err = h.Verifier.Confirm(ctx, h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
		mfatest.Want(t, "confirm", err, "")
		h.Advance(time.Minute)
		o = h.Session(u.ID, "password", "email")
		o = h.prove(o, selfservice.NewAddress{Kind: storage.Email, Typed: newMail, Replaces: idOf(o.Account, mfatest.Email)})
		held := h.Accounts.Held(o.Account)
		at := slices.IndexFunc(held, func(x selfservice.Held) bool { return x.Info.Name == "email" })
		if at < 0 || held[at].Name != "Mail" || held[at].Address != mfa.MaskAddress(newMail) || o.Account.Authenticator(e.Authenticator) != nil || !o.Account.User.MFAEnabled {
			t.Fatalf("after the change: %+v", held)
		}
		o = h.Session(u.ID, "password", "email")
		mfatest.Want(t, "remove", h.Accounts.RemoveAddress(ctx, h.Caller, o, idOf(o.Account, newMail)), "")
		a := h.account(u.ID)
		if len(a.Authenticators) != 1 || a.User.MFAEnabled {
			t.Errorf("after the removal: %+v", a)
		}
		if got := h.told(newMail); !slices.Contains(got, notice.FactorRemoved) || !slices.Contains(got, notice.AddressRemoved) {
			t.Errorf("the owner was told %v", got)
		}
	})
}
