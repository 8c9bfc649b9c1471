package relational_test

import (
	"slices"
	"testing"

	"sallyport/storage"
)

// TestNamesOfThePreviousVersionAreCompared: the previous version stored names in lower case.
func TestNamesOfThePreviousVersionAreCompared(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		db := direct(t, dsn)
		user := func(n string) storage.UserID { return storage.UserID("01970000-0000-7000-8000-00000000000" + n) }
		add := func(n, kind, value string) {
			change(t, db, "INSERT INTO users (id, status, mfa_enabled, profile, metadata, created_at, updated_at) VALUES ('"+string(user(n))+"', 'active', FALSE, '', '', 1, 1)")
			change(t, db, "INSERT INTO identifiers (id, user_id, kind, value, verified_at, created_at, updated_at) VALUES ('01970000-0000-7000-8000-0000000001"+n+"0', '"+
				string(user(n))+"', '"+kind+"', '"+value+"', 1, 1, 1)")
		}
		add("1", "email", "ada@bücher.example")
		add("2", "username", "σίσυφος")
		add("3", "username", "weiss")
		add("4", "username", "weiß")
		add("5", "username", "jörg")
		add("6", "phone", "+491701234567")
		find := func(value string) storage.UserID {
			a, err := e.AccountByIdentifier(t.Context(), value, t0)
			if err != nil {
				return ""
			}
			return a.User.ID
		}
		if n, err := e.OldNames(t.Context()); err != nil || n != 3 {
			t.Fatalf("OldNames = %d, %v, want those that no login finds", n, err)
		}
		for range 2 { // again, as every start of a server may
			taken, err := e.CompareNames(t.Context())
			if err != nil || !slices.Equal(taken, []storage.UserID{user("4")}) {
				t.Fatalf("CompareNames = %v, %v, want the user whose name is another user's", taken, err)
			}
			for value, want := range map[string]storage.UserID{"ada@xn--bcher-kva.example": user("1"), "ada@bücher.example": "", "σίσυφοσ": user("2"),
				"weiss": user("3"), "jörg": user("5"), "+491701234567": user("6")} {
				if got := find(value); got != want {
					t.Errorf("%q is user %q, want %q", value, got, want)
				}
			}
		}
		for n, want := range map[string]string{"1": "ada@bücher.example", "2": "σίσυφος", "3": "weiss", "4": "weiß", "5": "jörg"} {
			if a, err := e.Account(t.Context(), user(n)); err != nil || a.Identifiers[0].Text() != want {
				t.Errorf("user %s is shown as %+v, %v, want %q", n, a.Identifiers, err, want)
			}
		}
		change(t, db, "DELETE FROM identifiers WHERE value = 'weiss'")
		if taken, err := e.CompareNames(t.Context()); err != nil || len(taken) != 0 || find("weiss") != user("4") {
			t.Errorf("once the name is free: %v, %v, %q", taken, err, find("weiss"))
		}
	})
}

func TestRevertingShownNamesKeepsThem(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		l := newLogin()
		n := l.newUser()
		n.Identifiers[0].Value, n.Identifiers[0].Shown = "ada@xn--bcher-kva.example", "ada@bücher.example"
		if err := e.CreateUser(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		all, err := e.Migrations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range slices.Backward(all) {
			if m.Version < 12 {
				break
			}
			if err := e.MigrateDown(t.Context(), m.Version); err != nil {
				t.Fatal(err)
			}
		}
		if values := column(t, direct(t, dsn), "SELECT value FROM identifiers ORDER BY value"); !slices.Contains(values, "ada@bücher.example") {
			t.Errorf("the previous version has %q", values)
		}
	})
}
