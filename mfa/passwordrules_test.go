package mfa

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"sallyport/storage"
)

func TestRulesOfANewPassword(t *testing.T) {
	o := cheap()
	o.Context = []string{"Lighthouse Mail", "login", "harbour"}
	p := NewPassword(testKeyring(t), rand.Reader, o)
	names := ownWords([]string{"ada@lovelace.example", "countess"}, map[string]any{"name": "Ada Byron", "family_name": "Weißmüller"})
	for _, tc := range []struct {
		name, plain string
		want        Code
	}{
		{"seven characters", "qzvkjxw", PasswordTooShort},
		{"eight characters", "qzvkjxwp", ""},
		{"eight characters of four bytes", "🜁🜂🜃🜄🜁🜂🜃🜚", ""},
		{"seven characters of two bytes", "öäüßñéç", PasswordTooShort},
		{"eight code points that are seven characters after NFKC", "qzvkjxe\u0301", PasswordTooShort},
		{"spaces at both ends count", " qzvkjx ", ""},
		{"1,024 bytes", strings.Repeat("qz", 512), ""},
		{"1,025 bytes", strings.Repeat("q", 1025), PasswordTooLong},
		{"longer after NFKC", strings.Repeat("\ufdfa", 60), PasswordTooLong},
		{"no text", "\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc", InvalidRequest},
		{"a NUL", "qzvkjxwp\x00", InvalidRequest},
		{"a common one", "password1", PasswordTooCommon},
		{"in capitals", "PassWord1", PasswordTooCommon},
		{"in full width", "ｐａｓｓｗｏｒｄ", PasswordTooCommon},
		{"a word with a year and a mark", "Sommer2024!", PasswordTooCommon},
		{"in front as well", "!!dragon!!", PasswordTooCommon},
		{"a name of the user", "Countess99", PasswordTooCommon},
		{"their mail address", "ada@lovelace.example", PasswordTooCommon},
		{"its domain", "lovelace1815", PasswordTooCommon},
		{"their family name in other letters", "WEISSMÜLLER!", PasswordTooCommon},
		{"both names in one", "adabyron1", PasswordTooCommon},
		{"the product", "lighthouse mail", PasswordTooCommon},
		{"a part of the issuer", "harbour2026", PasswordTooCommon},
		{"a name within a sentence", "countess of a quiet island", ""},
		{"a word with much around it", "dragon-94-51-77-02-63", ""},
	} {
		if got := CodeOf(p.Check(tc.plain, names...)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if list := commonList(); len(list) < 10_000 || !slices.IsSorted(list) {
		t.Errorf("%d common passwords, sorted %v; want 10,000 at least", len(list), slices.IsSorted(list))
	}
}

// However a keyboard spells a password, it is the same one; hashes made of a spelling as it
// was typed open once and are replaced.
func TestPasswordsAreComparedNormalised(t *testing.T) {
	const composed, decomposed, wide = "gr\u00fcne Wellen im M\u00e4rz", "gru\u0308ne Wellen im Ma\u0308rz", "ｇrüne Wellen im März"
	p := NewPassword(testKeyring(t), rand.Reader, cheap())
	raw := func(plain string) string {
		key, id, _ := p.keyring.Pepper("")
		h := phc{memory: p.o.Memory, time: p.o.Time, lanes: p.o.Threads, pepper: id, salt: make([]byte, saltBytes)}
		h.tag = tagOf(key, plain, h)
		return h.String()
	}
	imported, err := bcrypt.GenerateFromPassword([]byte(decomposed), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := p.hash(decomposed)
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
		finish := func(typed string) (Proof, error) {
			a := &storage.Account{User: storage.User{ID: "u", Status: storage.UserActive}, Authenticators: []storage.Authenticator{
				{ID: "a", UserID: "u", Method: "password", State: storage.AuthenticatorActive, Secret: []byte(tc.stored)}}}
			return p.Finish(t.Context(), Attempt{Account: a, Usage: UsageFirst}, nil, Typed(typed))
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
			if _, err := finish(typed); CodeOf(err) != InvalidCredentials {
				t.Errorf("%s, %q: %v, want a refusal", tc.name, typed, err)
			}
		}
	}
}
