package exchange_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func TestDecoysAreStableAndLookLikeRealFactors(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	real := h.Verifier.Options(h.Read(h.OpenRequest(), mfatest.Email))
	if len(real) != 2 || real[0].Name != "" || real[0].Text != "totp" {
		t.Fatalf("options of a known user before the first factor = %+v, want totp and recovery without names", real)
	}
	shapes := map[int]int{}
	for i := range 200 {
		who := fmt.Sprintf("nobody%d@example.com", i)
		id := h.OpenRequest()
		one, two := h.ListOptions(id, who), h.ListOptions(id, who)
		if !reflect.DeepEqual(one, two) {
			t.Fatalf("%s has %+v, then %+v", who, one, two)
		}
		shapes[len(one)]++
		for j, o := range one {
			if o.Method != real[j].Method || o.Text != real[j].Text || o.Name != "" || len(o.Authenticator) != 36 {
				t.Fatalf("decoy %+v differs from %+v", o, real[j])
			}
		}
	}
	if shapes[0] < 20 || shapes[1] < 20 || shapes[2] < 20 || len(shapes) != 3 {
		t.Errorf("200 unknown identifiers have lists of these lengths: %v, want a mixture of none, one and two", shapes)
	}
	if got := h.Verifier.Options(h.Read(h.OpenRequest(), "")); got != nil {
		t.Errorf("no identifier has %+v", got)
	}
}

func TestADecoyRefusesLikeAWrongCode(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	h.Create(users.Draft{Email: "off@example.com", TOTPSecret: mfatest.TOTPKey, Status: storage.UserDisabled})
	h.Create(users.Draft{Email: "two@example.com", TOTPSecret: mfatest.TOTPKey, MFAEnabled: true})
	for _, who := range []string{mfatest.Email, h.UnknownUser("totp"), "off@example.com", "two@example.com"} {
		var got []string
		id := h.OpenRequest()
		for range 2 {
			s, err := h.Initiate(id, who, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
			mfatest.Want(t, who, err, "")
			if len(s.Sub) != 36 || s.Text != "totp" || s.Challenge != nil {
				t.Errorf("%s starts %+v", who, s)
			}
			for range 4 {
				code := h.Code(0)
				if who == mfatest.Email || who == "two@example.com" {
					code = h.Wrong()
				}
				_, err := h.Verify(s.Exchange, code)
				e, _ := err.(*mfa.Error)
				got = append(got, fmt.Sprint(e.Code, e.RetryAfter))
			}
		}
		exp := []string{"invalid_passcode0s", "invalid_passcode0s", "invalid_passcode0s", "invalid_passcode0s", "invalid_passcode0s",
			"too_many_attempts30s", "too_many_attempts30s", "too_many_attempts30s"}
		for i := range exp {
			if got[i] != exp[i] {
				t.Errorf("%s: response %d is %s, want %s", who, i+1, got[i], exp[i])
			}
		}
	}
}

func TestADecoyIsNeverRedeemed(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	who := h.UnknownUser("totp")
	id := h.OpenRequest()
	s, err := h.Initiate(id, who, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "initiate", err, "")
	mfatest.Want(t, "redeem", h.Redeem(id, s.Status, mfa.UsagePasswordless), mfa.InvalidExchange)
	again, err := h.Initiate(id, who, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "initiate again", err, "")
	if again.Sub != s.Sub {
		t.Errorf("the masked sub of a decoy changed from %s to %s", s.Sub, again.Sub)
	}
	elsewhere, err := h.Initiate(h.OpenRequest(), who, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "initiate elsewhere", err, "")
	if elsewhere.Sub == s.Sub {
		t.Error("the masked sub is the same in two logins")
	}
}

func TestUnlistedMethodsAreRefusedAlike(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Email: mfatest.Email, TOTPSecret: mfatest.TOTPKey})
	_, err := h.Initiate(h.OpenRequest(), mfatest.Email, exchange.Choice{Method: "recovery", Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "a known user's", err, mfa.NotConfigured)
	for i := range 50 {
		p := h.Read(h.OpenRequest(), fmt.Sprintf("nobody%d@example.com", i))
		if len(h.Verifier.Options(p)) == 0 {
			_, err := h.Verifier.Initiate(context.Background(), h.Caller, p, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
			mfatest.Want(t, "an unknown user", err, mfa.NotConfigured)
			return
		}
	}
	t.Fatal("every unknown identifier has decoys")
}

// Whatever a user enrolled, the list before the first factor has the form of a decoy list.
func TestRealListsLookLikeDecoysBeforeTheFirstFactor(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	codes := []string{"bbbb-bbbb-bbbb"}
	many := h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	second := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(rand.Reader)), UserID: many.ID, Method: "totp",
		State: storage.AuthenticatorActive, Secret: []byte("another secret of twenty"), CreatedAt: h.Now(), UpdatedAt: h.Now()}
	mfatest.Want(t, "store it", h.Store.PutAuthenticator(context.Background(), second, nil, nil), "")
	h.Create(users.Draft{Email: "device@example.com", TOTPSecret: mfatest.TOTPKey})
	h.Create(users.Draft{Email: "all@example.com", TOTPSecret: mfatest.TOTPKey, RecoveryCodes: codes})
	h.Create(users.Draft{Email: "codes@example.com", RecoveryCodes: codes})
	h.Create(users.Draft{Email: "none@example.com", Password: mfatest.Password})
	for who, shape := range map[string]string{mfatest.Email: "totp", "device@example.com": "totp", "all@example.com": "totp recovery",
		"codes@example.com": "", "none@example.com": ""} {
		var got []string
		for _, o := range h.Verifier.Options(h.Read(h.OpenRequest(), who)) {
			got = append(got, o.Method)
		}
		if strings.Join(got, " ") != shape {
			t.Errorf("%s has the list %q, want %q", who, got, shape)
		}
	}
	// The one entry represents all authenticators of its method.
	id := h.OpenRequest()
	offered := h.ListOptions(id, mfatest.Email)[0]
	s, err := h.Initiate(id, mfatest.Email, exchange.Choice{Method: "totp", Authenticator: offered.Authenticator, Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "initiate", err, "")
	_, err = h.Verify(s.Exchange, h.AppCode(many.ID, second.ID))
	mfatest.Want(t, "the code of the other device", err, "")
}

// How long a wait is remembered must not reveal that a name exists.
func TestPasswordlessWaitsOfUnknownNamesLastAsLong(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	invented := h.UnknownUser("totp")
	try := func(who string) mfa.Code {
		s, err := h.Initiate(h.OpenRequest(), who, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
		mfatest.Want(t, who, err, "")
		_, err = h.Verify(s.Exchange, h.Wrong())
		return mfa.CodeOf(err)
	}
	for range 5 {
		mfatest.Want(t, "known", &mfa.Error{Code: try(mfatest.Email)}, mfa.InvalidPasscode)
		mfatest.Want(t, "unknown", &mfa.Error{Code: try(invented)}, mfa.InvalidPasscode)
	}
	for _, later := range []time.Duration{25 * time.Hour, 8 * 24 * time.Hour, 31 * 24 * time.Hour} {
		h.Advance(later)
		for i := range 3 {
			known, unknown := try(mfatest.Email), try(invented)
			if known != unknown {
				t.Errorf("%s later, try %d: known %s, unknown %s", later, i+1, known, unknown)
			}
		}
	}
}
