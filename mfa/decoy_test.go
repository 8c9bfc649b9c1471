package mfa_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestDecoysAreStableAndShapedLikeTheRealThing(t *testing.T) {
	h := newHouse(t)
	h.ada()
	real := h.verifier.Options(h.proving(h.begin(), ownMail))
	if len(real) != 2 || real[0].Name != "" || real[0].Text != "totp" {
		t.Fatalf("options of a known user before the first factor = %+v, want totp and recovery without names", real)
	}
	shapes := map[int]int{}
	for i := range 200 {
		who := fmt.Sprintf("nobody%d@example.com", i)
		id := h.begin()
		one, two := h.listed(id, who), h.listed(id, who)
		if !reflect.DeepEqual(one, two) {
			t.Fatalf("%s has %+v, then %+v", who, one, two)
		}
		shapes[len(one)]++
		for j, o := range one {
			if o.Method != real[j].Method || o.Text != real[j].Text || o.Name != "" || len(o.Authenticator) != 36 {
				t.Fatalf("decoy %+v can be told from %+v", o, real[j])
			}
		}
	}
	if shapes[0] < 20 || shapes[1] < 20 || shapes[2] < 20 || len(shapes) != 3 {
		t.Errorf("200 unknown identifiers have lists of these lengths: %v, want a mixture of none, one and two", shapes)
	}
	if got := h.verifier.Options(h.proving(h.begin(), "")); got != nil {
		t.Errorf("nobody at all has %+v", got)
	}
}

func TestADecoyAnswersLikeAWrongCode(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	h.create(mfa.Draft{Email: "off@example.com", TOTPSecret: secret32, Status: storage.UserDisabled})
	h.create(mfa.Draft{Email: "two@example.com", TOTPSecret: secret32, MFAEnabled: true})
	for _, who := range []string{ownMail, h.unknown("totp"), "off@example.com", "two@example.com"} {
		var got []string
		id := h.begin()
		for range 2 {
			s, err := h.initiate(id, who, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
			want(t, who, err, "")
			if len(s.Sub) != 36 || s.Text != "totp" || s.Challenge != nil {
				t.Errorf("%s starts %+v", who, s)
			}
			for range 4 {
				code := h.code(0)
				if who == ownMail {
					code = h.wrong()
				}
				_, err := h.verify(s.Exchange, code)
				e, _ := err.(*mfa.Error)
				got = append(got, fmt.Sprint(e.Code, e.RetryAfter))
			}
		}
		exp := []string{"invalid_passcode0s", "invalid_passcode0s", "invalid_passcode0s", "invalid_passcode0s", "invalid_passcode0s",
			"too_many_attempts30s", "too_many_attempts30s", "too_many_attempts30s"}
		for i := range exp {
			if got[i] != exp[i] {
				t.Errorf("%s: answer %d is %s, want %s", who, i+1, got[i], exp[i])
			}
		}
	}
}

func TestADecoyIsNeverRedeemed(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	who := h.unknown("totp")
	id := h.begin()
	s, err := h.initiate(id, who, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	want(t, "initiate", err, "")
	want(t, "redeem", h.redeem(id, s.Status, mfa.UsagePasswordless), mfa.InvalidExchange)
	again, err := h.initiate(id, who, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	want(t, "initiate again", err, "")
	if again.Sub != s.Sub {
		t.Errorf("the masked sub of a decoy changed from %s to %s", s.Sub, again.Sub)
	}
	elsewhere, err := h.initiate(h.begin(), who, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	want(t, "initiate elsewhere", err, "")
	if elsewhere.Sub == s.Sub {
		t.Error("the masked sub is the same in two logins")
	}
}

func TestMethodsMissingFromAnyListAreRefusedAlike(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	h.create(mfa.Draft{Email: ownMail, TOTPSecret: secret32})
	_, err := h.initiate(h.begin(), ownMail, mfa.Choice{Method: "recovery", Usage: mfa.UsagePasswordless})
	want(t, "a known user's", err, mfa.NotConfigured)
	for i := range 50 {
		p := h.proving(h.begin(), fmt.Sprintf("nobody%d@example.com", i))
		if len(h.verifier.Options(p)) == 0 {
			_, err := h.verifier.Initiate(context.Background(), h.visit, p, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
			want(t, "nobody's", err, mfa.NotConfigured)
			return
		}
	}
	t.Fatal("every unknown identifier has decoys")
}

// Whatever a user enrolled, the list before the first factor has a shape that names
// nobody has come with too.
func TestNoRealListBeforeTheFirstFactorIsOfAShapeOfItsOwn(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	codes := []string{"bbbb-bbbb-bbbb"}
	many := h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	second := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(rand.Reader)), UserID: many.ID, Method: "totp",
		State: storage.AuthenticatorActive, Secret: []byte("another secret of twenty"), CreatedAt: h.now(), UpdatedAt: h.now()}
	want(t, "store it", h.store.PutAuthenticator(context.Background(), second, nil, nil), "")
	h.create(mfa.Draft{Email: "device@example.com", TOTPSecret: secret32})
	h.create(mfa.Draft{Email: "all@example.com", TOTPSecret: secret32, RecoveryCodes: codes})
	h.create(mfa.Draft{Email: "codes@example.com", RecoveryCodes: codes})
	h.create(mfa.Draft{Email: "none@example.com", Password: ownPass})
	for who, shape := range map[string]string{ownMail: "totp", "device@example.com": "totp", "all@example.com": "totp recovery",
		"codes@example.com": "", "none@example.com": ""} {
		var got []string
		for _, o := range h.verifier.Options(h.proving(h.begin(), who)) {
			got = append(got, o.Method)
		}
		if strings.Join(got, " ") != shape {
			t.Errorf("%s has the list %q, want %q", who, got, shape)
		}
	}
	// The one medium in the list stands for all of its method.
	id := h.begin()
	offered := h.listed(id, ownMail)[0]
	s, err := h.initiate(id, ownMail, mfa.Choice{Method: "totp", Authenticator: offered.Authenticator, Usage: mfa.UsagePasswordless})
	want(t, "initiate", err, "")
	_, err = h.verify(s.Exchange, h.shows(many.ID, second.ID))
	want(t, "the code of the other device", err, "")
}

// What a day or a week later is still remembered must not tell that somebody is known.
func TestPasswordlessWaitsAreRememberedAlike(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	nobody := h.unknown("totp")
	try := func(who string) mfa.Code {
		s, err := h.initiate(h.begin(), who, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
		want(t, who, err, "")
		_, err = h.verify(s.Exchange, h.wrong())
		return mfa.CodeOf(err)
	}
	for range 5 {
		want(t, "known", &mfa.Error{Code: try(ownMail)}, mfa.InvalidPasscode)
		want(t, "unknown", &mfa.Error{Code: try(nobody)}, mfa.InvalidPasscode)
	}
	for _, later := range []time.Duration{25 * time.Hour, 8 * 24 * time.Hour, 31 * 24 * time.Hour} {
		h.wait(later)
		for i := range 3 {
			known, unknown := try(ownMail), try(nobody)
			if known != unknown {
				t.Errorf("%s later, try %d: known %s, unknown %s", later, i+1, known, unknown)
			}
		}
	}
}
