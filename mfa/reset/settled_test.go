package reset_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"sallyport/mfa/mfatest"
	"sallyport/storage"
)

// Whoever adds an address in a foreign session does not set the password with it at once.
func TestAnAddressVerifiedTodayBesideAnOlderOneResetsNoPassword(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		ada := f.CreateAda()
		const added = "eve@example.com"
		add := func() {
			i := storage.Identifier{ID: storage.IdentifierID(storage.TimeOrdered(f.Now(), rand.Reader)), UserID: ada.ID, Kind: storage.Email, Value: added,
				VerifiedAt: f.Now(), CreatedAt: f.Now(), UpdatedAt: f.Now()}
			mfatest.Want(t, "add", f.Store.AddIdentifier(t.Context(), i, nil), "")
		}
		to := func(name, want string) {
			t.Helper()
			got := f.ask(name)
			if len(got) != 1 || got[0].Recipient != want {
				t.Errorf("%s: %+v, want one to %s", name, got, want)
			}
			f.Advance(2 * time.Minute)
		}
		add()
		to(added, added) // no address is older by a day
		link, _ := f.asked()
		mfatest.Want(t, "set", f.set(link, fresh), "")
		a, err := f.Store.Account(t.Context(), ada.ID)
		mfatest.Want(t, "account", err, "")
		i := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Value == added })
		mfatest.Want(t, "remove", f.Users.RemoveIdentifier(t.Context(), f.Caller, a, a.Identifiers[i].ID), "")
		f.Advance(24 * time.Hour)
		add()
		to(added, mfatest.Email)
		to("ada", mfatest.Email)
		f.Advance(24 * time.Hour)
		to(added, added)
	})
}
