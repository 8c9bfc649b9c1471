package password

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestRulesOfANewPassword(t *testing.T) {
	o := cheap()
	o.Context = []string{"Lighthouse Mail", "login", "harbour"}
	p := New(testKeyring(t), atNoon, rand.Reader, o)
	names := Words([]string{"ada@lovelace.example", "countess"}, map[string]any{"name": "Ada Byron", "family_name": "Weißmüller"})
	for _, tc := range []struct {
		name, plain string
		want        mfa.Code
	}{
		{"seven characters", "qzvkjxw", mfa.PasswordTooShort},
		{"eight characters", "qzvkjxwp", ""},
		{"eight characters of four bytes", "🜁🜂🜃🜄🜁🜂🜃🜚", ""},
		{"seven characters of two bytes", "öäüßñéç", mfa.PasswordTooShort},
		{"eight code points that are seven characters after NFKC", "qzvkjxe\u0301", mfa.PasswordTooShort},
		{"spaces at both ends count", " qzvkjx ", ""},
		{"1,024 bytes", strings.Repeat("qz", 512), ""},
		{"1,025 bytes", strings.Repeat("q", 1025), mfa.PasswordTooLong},
		{"longer after NFKC", strings.Repeat("\ufdfa", 60), mfa.PasswordTooLong},
		{"no text", "\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc", mfa.InvalidRequest},
		{"a NUL", "qzvkjxwp\x00", mfa.InvalidRequest},
		{"a common one", "password1", mfa.PasswordTooCommon},
		{"in capitals", "PassWord1", mfa.PasswordTooCommon},
		{"in full width", "ｐａｓｓｗｏｒｄ", mfa.PasswordTooCommon},
		{"a word with a year and a mark", "Sommer2024!", mfa.PasswordTooCommon},
		{"in front as well", "!!dragon!!", mfa.PasswordTooCommon},
		{"a name of the user", "Countess99", mfa.PasswordTooCommon},
		{"their mail address", "ada@lovelace.example", mfa.PasswordTooCommon},
		{"its domain", "lovelace1815", mfa.PasswordTooCommon},
		{"their family name in other letters", "WEISSMÜLLER!", mfa.PasswordTooCommon},
		{"both names in one", "adabyron1", mfa.PasswordTooCommon},
		{"the product", "lighthouse mail", mfa.PasswordTooCommon},
		{"a part of the issuer", "harbour2026", mfa.PasswordTooCommon},
		{"a name within a sentence", "countess of a quiet island", ""},
		{"a word with much around it", "dragon-94-51-77-02-63", ""},
	} {
		if got := mfa.CodeOf(p.Check(tc.plain, names...)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestTheListIsSearchedWhole(t *testing.T) {
	list, long := commonList(), 0
	if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Error("the list is not sorted, or has a word twice")
	}
	p := New(testKeyring(t), atNoon, rand.Reader, cheap())
	for _, word := range list {
		if foldCase(word) != word || !p.isGuessable(word, nil) || !p.isGuessable(strings.ToUpper(word), nil) {
			t.Errorf("%q is on the list, and is not found or not folded", word)
		}
		if utf8.RuneCountInString(word) >= MinLength {
			long++
		}
	}
	if long < 10_000 {
		t.Errorf("%d of them are long enough to be a password, want 10,000", long)
	}
}

// A normalized old password may be longer than the limit of new ones.
func TestAnOldPasswordOfALongSpellingIsAccepted(t *testing.T) {
	p := New(testKeyring(t), atNoon, rand.Reader, cheap())
	long := strings.Repeat("\ufdfa", 300)
	if len(long) > maxBytes || len(normalize(long)) <= maxBytes {
		t.Fatal("the sample is not what it should be")
	}
	if err := p.Parse(mfa.Attempt{}, mfa.Typed(long)); err != nil {
		t.Errorf("refused before it is compared: %v", err)
	}
	if err := p.Check(long); mfa.CodeOf(err) != mfa.PasswordTooLong {
		t.Errorf("as a new one: %v, want %s", err, mfa.PasswordTooLong)
	}
}

func TestNamesAreRefusedAsPasswords(t *testing.T) {
	o := cheap()
	o.Context = []string{"Lighthouse Mail", "login.harbour.example"}
	p := New(testKeyring(t), atNoon, rand.Reader, o)
	names := Words([]string{"jb1931", "+491701234567", "j.byron-müller@post.example"},
		map[string]any{"given_name": "Zoë", "family_name": "Groß", "nickname": "小林明子さん夫人先生", "middle_name": "🜁🜂🜃🜄🜁🜂🜃🜚", "name": 7})
	for _, tc := range []struct {
		name, plain string
		refused     bool
	}{
		{"a name and a date", "byron 1987-10-16", true},
		{"a short one and a date", "jb (1987-10-16)", true},
		{"names between digits and marks", "1!zoë2/groß3", true},
		{"the same without marks", "zoegross1234", true},
		{"umlauts as German writes them without", "byronmueller", true},
		{"umlauts without their marks", "Byron.Muller", true},
		{"a name twice", "byronbyron", true},
		{"a name and the product", "Byron@Lighthouse", true},
		{"the host name", "login.harbour.example", true},
		{"the part of an address before the @", "j.byron-mueller", true},
		{"padded", "byron!!!!!!!!!!!!!!!!!!!!!!!!", true},
		{"a name in another script", "小林明子さん夫人先生", true},
		{"one without letters", "🜁🜂🜃🜄🜁🜂🜃🜚", true},
		{"the telephone number", "+49 170 1234567", true},
		{"without the country", "0170-1234567", true},
		{"another number", "8170-1234568", false},
		{"more digits than a date", "byron 1987-10-16-3", false},
		{"a word between them that is not a name", "byron und groß", false},
		{"one letter more", "byronx-mueller", false},
		{"no letter at all", "7!30-(58)94/61", false},
		{"marks only", "!?!(%)=!?;:_", false},
	} {
		if got := mfa.CodeOf(p.Check(tc.plain, names...)); (got == mfa.PasswordTooCommon) != tc.refused {
			t.Errorf("%s, %q: %q, refused %v wanted", tc.name, tc.plain, got, tc.refused)
		}
	}
}

func TestTheMinimumLengthIsASetting(t *testing.T) {
	for _, tc := range []struct {
		least, given int
		refused      bool
	}{{0, 7, true}, {0, 8, false}, {3, 7, true}, {15, 14, true}, {15, 15, false}, {64, 63, true}, {64, 64, false}} {
		o := cheap()
		o.MinLength = tc.least
		p := New(testKeyring(t), atNoon, rand.Reader, o)
		var e *mfa.Error
		refused := errors.As(p.Check(strings.Repeat("qzvkjxwpbn", 7)[:tc.given]), &e)
		if refused != tc.refused || refused && (e.Code != mfa.PasswordTooShort || e.Text("{{.Least}}") != strconv.Itoa(max(tc.least, 8))) || p.MinLength() != max(tc.least, 8) {
			t.Errorf("%d characters where %d are required: %v of %d", tc.given, tc.least, e, p.MinLength())
		}
	}
}

// Passwords do not depend on the keyboard. A hash of the password as typed is accepted once
// and replaced.
func TestPasswordsAreComparedNormalized(t *testing.T) {
	const composed, decomposed, wide = "gr\u00fcne Wellen im M\u00e4rz", "gru\u0308ne Wellen im Ma\u0308rz", "ｇrüne Wellen im März"
	p := New(testKeyring(t), atNoon, rand.Reader, cheap())
	raw := func(plain string) string {
		key, id, _ := p.keyring.Pepper("")
		h := argon2Hash{memory: p.o.Memory, time: p.o.Time, lanes: p.o.Threads, pepper: id, salt: make([]byte, saltBytes)}
		h.tag = argon2.IDKey(applyPepper(key, plain), h.salt, h.time, h.memory, h.lanes, tagBytes)
		return h.String()
	}
	imported, err := bcrypt.GenerateFromPassword([]byte(decomposed), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := p.HashReserved(decomposed)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, stored string
		right, wrong []string
		replaced     bool
	}{
		{"a new hash", fresh, []string{composed, decomposed, wide}, []string{"grune Wellen im Marz"}, false},
		{"one of the raw spelling", raw(decomposed), []string{decomposed}, []string{wide}, true},
		{"one of a spelling that is normal", raw(composed), []string{composed, decomposed, wide}, nil, false},
		{"bcrypt of the raw spelling", string(imported), []string{decomposed}, []string{composed}, true},
	} {
		finish := func(typed string) (mfa.Proof, error) {
			a := &storage.Account{User: storage.User{ID: "u", Status: storage.UserActive}, Authenticators: []storage.Authenticator{
				{ID: "a", UserID: "u", Method: "password", State: storage.AuthenticatorActive, Secret: []byte(tc.stored)}}}
			return p.Finish(t.Context(), mfa.Attempt{Account: a, Usage: mfa.UsageFirst}, nil, mfa.Typed(typed))
		}
		for _, typed := range tc.right {
			proof, err := finish(typed)
			if err != nil || (len(proof.Spend.Secret) > 0) != tc.replaced {
				t.Errorf("%s, %q: %v, replaced %v", tc.name, typed, err, len(proof.Spend.Secret) > 0)
			}
			if tc.replaced {
				if right, _, err := p.verify(string(proof.Spend.Secret), composed); !right || err != nil {
					t.Errorf("%s: the new hash is not of the normal spelling: %v", tc.name, err)
				}
			}
		}
		for _, typed := range tc.wrong {
			if _, err := finish(typed); mfa.CodeOf(err) != mfa.InvalidCredentials {
				t.Errorf("%s, %q: %v, want a refusal", tc.name, typed, err)
			}
		}
	}
}

// The number of hashes for a wrong password depends on the input alone: else it would reveal
// who has an account, and since when.
func TestWrongPasswordsCostTheSame(t *testing.T) {
	computed := 0
	o := cheap()
	o.Span = func(_ context.Context, operation string) func() {
		if operation == "hash password" {
			computed++
		}
		return func() {}
	}
	p := New(testKeyring(t), atNoon, rand.Reader, o)
	hash, err := p.HashReserved("some other password")
	if err != nil {
		t.Fatal(err)
	}
	account := func(status storage.UserStatus) *storage.Account {
		return &storage.Account{User: storage.User{ID: "u", Status: status}, Authenticators: []storage.Authenticator{
			{ID: "a", UserID: "u", Method: "password", State: storage.AuthenticatorActive, Secret: []byte(hash)}}}
	}
	for typed, want := range map[string]int{"gr\u00fcne Wellen": 1, "gru\u0308ne Wellen": 2, "ｇrüne Wellen": 2} {
		for name, a := range map[string]*storage.Account{"no user": nil, "no password": {User: storage.User{ID: "u", Status: storage.UserActive}},
			"another password": account(storage.UserActive), "disabled": account(storage.UserDisabled)} {
			computed = 0
			if _, err := p.Finish(t.Context(), mfa.Attempt{Account: a, Usage: mfa.UsageFirst}, nil, mfa.Typed(typed)); mfa.CodeOf(err) != mfa.InvalidCredentials {
				t.Fatalf("%s: %v", name, err)
			}
			if computed != want {
				t.Errorf("%s, %q: computed %d times, want %d", name, typed, computed, want)
			}
		}
	}
}
