package password

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sallyport/mfa"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

var Noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func testKeyring(tb testing.TB) *seal.Keyring {
	tb.Helper()
	k, _ := storagetest.Keyring(tb, Noon)
	return k
}

func atNoon() time.Time { return Noon }

func cheap() Options { return Options{Memory: 64, Time: 1, Parallel: 1} }

func TestPasswordDefaultsAreOWASPs(t *testing.T) {
	p := New(testKeyring(t), atNoon, rand.Reader, Options{})
	text, err := p.Hash(context.Background(), mfa.Place{}, "some password")
	if err != nil || !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1,keyid=") {
		t.Errorf("Hash = %q, %v", text, err)
	}
}

func TestPasswordRules(t *testing.T) {
	p := New(testKeyring(t), atNoon, rand.Reader, cheap())
	if len(p.common) < 1000 {
		t.Errorf("%d common passwords, want 1000 or more", len(p.common))
	}
	for plain, want := range map[string]mfa.Code{
		"1234567": mfa.PasswordTooShort, "": mfa.PasswordTooShort, "12345678": mfa.PasswordTooCommon, "PassWord": mfa.PasswordTooCommon,
		"iLoveYou123": mfa.PasswordTooCommon, strings.Repeat("x", 1024): "", strings.Repeat("x", 1025): mfa.PasswordTooLong,
		"  spaces around  ": "", "пароль-пароль": "", "bad\xffutf8!": mfa.InvalidRequest, "nul\x00nul\x00": mfa.InvalidRequest,
	} {
		if err := p.Check(plain); mfa.CodeOf(err) != want {
			t.Errorf("Check(%.20q) = %v, want %q", plain, err, want)
		}
	}
}

func TestOutdatedHashesAreReplaced(t *testing.T) {
	k := testKeyring(t)
	old := New(k, atNoon, rand.Reader, cheap())
	text, err := old.Hash(context.Background(), mfa.Place{}, "some password")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		o     Options
		stale bool
	}{
		"nothing": {cheap(), false}, "memory": {Options{Memory: 128, Time: 1}, true},
		"passes": {Options{Memory: 64, Time: 2}, true}, "lanes": {Options{Memory: 64, Time: 1, Threads: 2}, true},
	} {
		right, stale, err := New(k, atNoon, rand.Reader, tc.o).verify(text, "some password")
		if !right || stale != tc.stale || err != nil {
			t.Errorf("%s changed: right %v, stale %v, %v; want stale %v", name, right, stale, err, tc.stale)
		}
	}
	if right, _, _ := old.verify(text, "Some password"); right {
		t.Error("a wrong password is right")
	}
	plain := argon2Hash{memory: 64, time: 1, lanes: 1, salt: make([]byte, 16), tag: make([]byte, 32)}
	if right, _, err := old.verify(plain.String(), "x"); right || err != nil {
		t.Errorf("a hash without a pepper: %v, %v", right, err)
	}
	plain.pepper = "00000000-0000-7000-8000-000000000000"
	if _, _, err := old.verify(plain.String(), "x"); err == nil {
		t.Error("a pepper that is gone is no fault")
	}
}

func TestANewPepperMakesHashesStale(t *testing.T) {
	keks, err := seal.ParseKEKs(seal.NewKeyFile(rand.Reader))
	if err != nil {
		t.Fatal(err)
	}
	k := seal.New(keks, rand.Reader)
	rows, err := k.First(Noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Load(rows, Noon); err != nil {
		t.Fatal(err)
	}
	p := New(k, atNoon, rand.Reader, cheap())
	text, err := p.Hash(context.Background(), mfa.Place{}, "some password")
	if err != nil {
		t.Fatal(err)
	}
	later := Noon.Add(time.Hour)
	next, err := k.NewKey("pepper", "", later)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Load(append(rows, next), later); err != nil {
		t.Fatal(err)
	}
	if right, stale, err := p.verify(text, "some password"); !right || !stale || err != nil {
		t.Errorf("under the old pepper: right %v, stale %v, %v; want right and stale", right, stale, err)
	}
}

func TestOnlyCanonicalPHCStringsAreAccepted(t *testing.T) {
	good := argon2Hash{memory: 19456, time: 2, lanes: 1, pepper: "01890000-0000-7000-8000-0000000000ff", salt: make([]byte, 16), tag: make([]byte, 32)}.String()
	if _, err := parsePHC(good); err != nil {
		t.Fatalf("parsePHC(%s) = %v", good, err)
	}
	for name, bad := range map[string]string{
		"nothing": "", "another function": strings.Replace(good, "argon2id", "argon2i", 1), "another version": strings.Replace(good, "v=19", "v=16", 1),
		"no version": strings.Replace(good, "v=19$", "", 1), "leading zero": strings.Replace(good, "m=19456", "m=019456", 1),
		"plus sign": strings.Replace(good, "t=2", "t=+2", 1), "no passes": strings.Replace(good, "t=2", "t=0", 1),
		"far too much memory": strings.Replace(good, "m=19456", "m=4294967295", 1), "padding": good + "=", "one more field": good + "$",
		"another order": strings.Replace(good, "m=19456,t=2", "t=2,m=19456", 1), "a short salt": "$argon2id$v=19$m=64,t=1,p=1$AAAA$" + strings.Repeat("A", 43),
	} {
		if h, err := parsePHC(bad); err == nil {
			t.Errorf("%s: parsePHC(%q) = %+v", name, bad, h)
		}
	}
}

// The time of a costly comparison would reveal that the user exists.
func TestCostlyImportedHashesAreRefused(t *testing.T) {
	b, err := bcrypt.GenerateFromPassword([]byte("some password"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for cost, want := range map[string]mfa.Code{"04": "", "10": "", "12": "", "13": mfa.InvalidRequest, "16": mfa.InvalidRequest, "31": mfa.InvalidRequest} {
		hash := strings.Replace(string(b), "$04$", "$"+cost+"$", 1)
		if err := CheckHash(hash); mfa.CodeOf(err) != want {
			t.Errorf("bcrypt of cost %s: %v, want %q", cost, err, want)
		}
	}
}

func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=64,t=1,p=1,keyid=AYkAAAAAcACAAAAAAAAA/w$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$2a$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzABCDEFG")
	f.Fuzz(func(t *testing.T, text string) {
		_ = isBcrypt(text)
		h, err := parsePHC(text)
		if err == nil && h.String() != text {
			t.Errorf("parsePHC(%q) writes %q", text, h)
		}
	})
}
