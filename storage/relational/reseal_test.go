package relational_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
)

// rotated is a keyring before and after the rotation of all keys.
type rotated struct {
	*seal.Keyring
	old, fresh []storage.Key
}

func newRotated(t *testing.T) *rotated {
	t.Helper()
	keks, err := seal.ParseKEKs(seal.NewKeyFile(rand.Reader))
	if err != nil {
		t.Fatal(err)
	}
	k := &rotated{Keyring: seal.New(keks, rand.Reader)}
	if k.old, err = k.First(t0); err == nil {
		k.fresh, err = k.First(t0.Add(time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
	k.load(t, k.old)
	return k
}

func (k *rotated) load(t *testing.T, rows ...[]storage.Key) {
	t.Helper()
	var all []storage.Key
	for _, r := range rows {
		all = append(all, r...)
	}
	if err := k.Load(all, t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
}

func id(rows []storage.Key, use string) storage.KeyID {
	for _, k := range rows {
		if k.Use == use {
			return k.ID
		}
	}
	return ""
}

func reseal(t *testing.T, e *relational.Engine, limit int) map[string]relational.ResealProgress {
	t.Helper()
	out := map[string]relational.ResealProgress{}
	err := e.Reseal(t.Context(), limit, func(at relational.ResealProgress) {
		if before := out[at.Column]; at.Read-before.Read > limit {
			t.Errorf("%s: %d rows in one step, want at most %d", at.Column, at.Read-before.Read, limit)
		}
		out[at.Column] = at
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestResealFindsEverySealedColumn: after a reseal the old data and hash keys are not needed.
func TestResealFindsEverySealedColumn(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := newRotated(t)
		e := open(t, dsn, k.Keyring)
		var people []login
		for range 5 {
			l := newLogin()
			people = append(people, l)
			for _, s := range l.steps(t, e) {
				if err := s.do(); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
			}
		}
		signs := storage.Client{ID: "signs", AuthMethod: "client_secret_jwt", Secrets: []storage.ClientSecret{"secret of a client"}}
		if err := e.PutClient(t.Context(), signs, nil); err != nil {
			t.Fatal(err)
		}
		spend := func(l login) error {
			return e.Spend(t.Context(), storage.Spend{Now: t0, Credential: &storage.CredentialSpend{User: l.user, Authenticator: l.recovery, Code: recoverySecret}})
		}
		if err := spend(people[0]); err != nil {
			t.Fatal(err)
		}
		k.load(t, k.old, k.fresh)
		before := sealedUnder(t, dsn, id(k.old, "data"))
		if len(before) < 6 {
			t.Fatalf("the login leaves sealed values in %v only", before)
		}
		if n, err := e.HashedUnder(t.Context(), id(k.old, "hash")); err != nil || n != 2*len(people) {
			t.Errorf("%d recovery codes and tickets depend on the old hash key, %v; want %d", n, err, 2*len(people))
		}
		written := 0
		for column, at := range reseal(t, e, 2) {
			if written += at.Written; at.Broken != 0 || at.Written != at.Read {
				t.Errorf("%s: %+v, want all resealed", column, at)
			}
		}
		for column, at := range reseal(t, e, 1000) {
			if at.Written != 0 {
				t.Errorf("%s: %d written again", column, at.Written)
			}
		}
		if left := sealedUnder(t, dsn, id(k.old, "data")); len(left) != 0 {
			t.Errorf("still under the old key: %v", left)
		}
		if left, err := e.SealedUnder(t.Context(), id(k.old, "data")); err != nil || len(left) != 0 {
			t.Errorf("SealedUnder = %v, %v, want none", left, err)
		}
		if all, err := e.SealedUnder(t.Context(), id(k.fresh, "data")); err != nil || sum(all) != written {
			t.Errorf("SealedUnder the new key = %v, %v, want %d in all", all, err, written)
		}
		if n, err := e.HashedUnder(t.Context(), id(k.old, "hash")); err != nil || n != 0 {
			t.Errorf("%d recovery codes and tickets depend on the old hash key, %v; want none", n, err)
		}
		k.load(t, k.fresh)
		for i, l := range people {
			a, err := e.Account(t.Context(), l.user)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range a.Authenticators {
				if x.Broken {
					t.Errorf("%s of user %d does not open", x.Method, i)
				}
			}
			want := error(nil)
			if i == 0 {
				want = storage.ErrConflict // used codes stay used
			}
			if err := spend(l); err != want {
				t.Errorf("recovery code of user %d: %v, want %v", i, err, want)
			}
			if got, err := e.TicketByLink(t.Context(), l.ticket.Purpose, l.ticket.Link); err != nil || got.ID != l.ticket.ID {
				t.Errorf("ticket of user %d: %+v, %v", i, got, err)
			}
		}
		if c, err := e.Client(t.Context(), signs.ID); err != nil || !slices.Equal(c.Secrets, signs.Secrets) {
			t.Errorf("the client that signs has %d secrets, %v", len(c.Secrets), err)
		}
		messages, err := e.ListMessages(t.Context(), storage.MessageFilter{Now: t0, Limit: 10})
		if err != nil || len(messages) == 0 || slices.ContainsFunc(messages, func(m storage.MessageRecord) bool { return m.Broken }) {
			t.Errorf("messages do not open: %+v, %v", messages, err)
		}
	})
}

func sum(of map[string]int) int {
	n := 0
	for _, x := range of {
		n += x
	}
	return n
}

// sealedUnder searches every binary column, including any that Reseal omits.
func sealedUnder(t *testing.T, dsn string, key storage.KeyID) map[string]int {
	t.Helper()
	raw, _ := storage.Bytes(key)
	db := direct(t, dsn)
	columns := "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'bytea'"
	literal := `'\x` + hex.EncodeToString(raw[:]) + `'`
	if strings.HasPrefix(dsn, "sqlite:") {
		columns = "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BLOB'"
		literal = "x'" + hex.EncodeToString(raw[:]) + "'"
	}
	out := map[string]int{}
	for _, name := range column(t, db, columns) {
		table, field, _ := strings.Cut(name, ".")
		var n int
		query := fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE substr(%s, 2, 16) = %s", table, field, literal)
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if n > 0 {
			out[name] = n
		}
	}
	return out
}

// TestResealLosesNoWrite: a concurrent write wins over the reseal.
func TestResealLosesNoWrite(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := newRotated(t)
		e := open(t, dsn, k.Keyring)
		people := make([]login, 20)
		for i := range people {
			people[i] = newLogin()
			if err := e.CreateUser(t.Context(), people[i].newUser()); err != nil {
				t.Fatal(err)
			}
		}
		// Swap old and new keys repeatedly, so that there is always something to reseal.
		older := slices.Clone(k.old)
		for i := range older {
			older[i].ActiveAt = t0.Add(2 * time.Second)
		}
		k.load(t, k.old, k.fresh)
		var all sync.WaitGroup
		for i, l := range people {
			all.Go(func() {
				for n := range 30 {
					want := fmt.Sprintf("password %d of user %d", n, i)
					err := e.Spend(t.Context(), storage.Spend{Now: t0, Credential: &storage.CredentialSpend{
						User: l.user, Authenticator: l.password, Secret: []byte(want)}})
					if err != nil {
						t.Error(err)
					}
					for range 3 {
						if got := secretOf(t, e, l.user, l.password); got != want {
							t.Errorf("secret = %q, want %q", got, want)
						}
					}
				}
				if err := e.Spend(t.Context(), storage.Spend{Now: t0, Credential: &storage.CredentialSpend{
					User: l.user, Authenticator: l.recovery, Code: recoverySecret}}); err != nil {
					t.Errorf("recovery code of user %d: %v", i, err)
				}
			})
		}
		written := make(chan struct{})
		go func() { all.Wait(); close(written) }()
		for n, over := 0, false; !over; n++ {
			k.load(t, [][]storage.Key{older, k.old}[n%2], k.fresh)
			reseal(t, e, 7)
			select {
			case <-written:
				over = true
			default:
			}
		}
		k.load(t, k.old, k.fresh)
		reseal(t, e, 7)
		k.load(t, k.fresh)
		for i, l := range people {
			if got, want := secretOf(t, e, l.user, l.password), fmt.Sprintf("password 29 of user %d", i); got != want {
				t.Errorf("secret = %q, want %q", got, want)
			}
			if codes, err := e.RecoveryCodes(t.Context(), l.user); err != nil || len(codes) != 0 {
				t.Errorf("user %d has %d unused codes, %v; want none", i, len(codes), err)
			}
		}
	})
}

func secretOf(t *testing.T, e *relational.Engine, user storage.UserID, id storage.AuthenticatorID) string {
	t.Helper()
	a, err := e.Account(t.Context(), user)
	if err != nil {
		t.Error(err)
	}
	for _, x := range a.Authenticators {
		if x.ID == id {
			return string(x.Secret)
		}
	}
	return ""
}

// TestResealSkipsBrokenValues: a value that does not open is skipped and counted.
func TestResealSkipsBrokenValues(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := newRotated(t)
		e := open(t, dsn, k.Keyring)
		mine, others := newLogin(), newLogin()
		for _, l := range []login{mine, others} {
			if err := e.CreateUser(t.Context(), l.newUser()); err != nil {
				t.Fatal(err)
			}
		}
		change(t, direct(t, dsn), "UPDATE authenticators SET secret = (SELECT secret FROM authenticators WHERE id = '"+string(others.totp)+"') WHERE id = '"+string(mine.totp)+"'")
		k.load(t, k.old, k.fresh)
		if at := reseal(t, e, 1)["authenticators.secret"]; at.Broken != 1 || at.Written != 3 || at.Read != 4 {
			t.Errorf("%+v, want 1 of 4 left", at)
		}
		if left, err := e.SealedUnder(t.Context(), id(k.old, "data")); err != nil || left["authenticators.secret"] != 1 {
			t.Errorf("SealedUnder = %v, %v; want the broken one", left, err)
		}
		peppers := 0
		err := e.EachSecret(t.Context(), "password", func(secret []byte) {
			if string(secret) == passwordSecret {
				peppers++
			}
		})
		if err != nil || peppers != 2 {
			t.Errorf("EachSecret saw %d passwords, %v; want 2", peppers, err)
		}
	})
}
