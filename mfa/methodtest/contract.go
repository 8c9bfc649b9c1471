// Package methodtest tests implementations of mfa.Method. It also has two methods for tests: a
// passkey that identifies its user, and an approval on another device. They show that the
// interface supports both.
package methodtest

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Fixture is a method with two users who have enrolled it.
type Fixture struct {
	Method mfa.Method
	Owner  *storage.Account
	Other  *storage.Account
	Usage  string // of the attempts; "": second
	Now    time.Time
	// Answer returns a right response of a user to a challenge or, for a method that sends a
	// message, to that message as JSON. It is called once for each response, as devices may
	// count.
	Answer func(t *testing.T, who *storage.Account, c mfa.Challenge, at time.Time) mfa.Response
	// Wrong returns a well-formed response that is wrong for all users.
	Wrong func(t *testing.T, c mfa.Challenge) mfa.Response
	// Malformed responses must be refused by Parse.
	Malformed []mfa.Response
	// Spend does what storage does with Proof.Spend; nil: only the exchange is spent.
	Spend func(p mfa.Proof) error
	// Late is how long after Begin right responses are refused; 0: never.
	Late time.Duration
	// Reusable responses stay right, as passwords do.
	Reusable bool
	// FindsUser is set if the method identifies the user.
	FindsUser bool
}

// Run tests a method.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	t.Helper()
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, f Fixture)
	}{
		{"Info is complete", testInfo},
		{"a right response is a proof", testRight},
		{"a right code is accepted in every spelling", testSpellings},
		{"it writes nothing", testWritesNothing},
		{"a replay is refused", testReplay},
		{"a wrong response is refused", testWrong},
		{"a malformed response is an invalid request", testMalformed},
		{"another user's response is refused", testOtherUser},
		{"a late response is refused", testLate},
		{"an unknown user proves nothing", testUnknownUser},
		{"a disabled user proves nothing", testDisabledUser},
		{"only active authenticators prove anything", testInactive},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, open(t)) })
	}
}

func (f Fixture) attempt(who *storage.Account) mfa.Attempt {
	usage := f.Usage
	if usage == "" {
		usage = mfa.UsageSecond
	}
	return mfa.Attempt{Account: who, Usage: usage, Locale: "en", Now: f.Now}
}

func (f Fixture) begin(t *testing.T, a mfa.Attempt) (mfa.Challenge, mfa.State) {
	t.Helper()
	begun, err := f.Method.Begin(context.Background(), a)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	if begun.Message == nil {
		return begun.Challenge, begun.State
	}
	c, err := json.Marshal(begun.Message)
	if err != nil {
		t.Fatal(err)
	}
	return c, begun.State
}

func (f Fixture) finish(a mfa.Attempt, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	return f.Method.Finish(context.Background(), a, s, r)
}

// requireRefusal fails the test unless err is a refusal of a response.
func (f Fixture) requireRefusal(t *testing.T, what string, err error) {
	t.Helper()
	switch mfa.CodeOf(err) {
	case mfa.InvalidPasscode, mfa.InvalidCredentials, mfa.Replayed, mfa.PasscodeExpired:
	default:
		t.Errorf("%s: got %v, want a refusal", what, err)
	}
}

func testInfo(t *testing.T, f Fixture) {
	i := f.Method.Info()
	if i.Name == "" || len(i.Kinds) == 0 || len(i.AMR) == 0 || !i.First && !i.Second {
		t.Errorf("Info() = %+v: name, kinds, amr and a place in a login are needed", i)
	}
	first, again := i, f.Method.Info()
	for _, x := range []*mfa.Info{&first, &again} {
		x.Hardware, x.Unusable = nil, nil // functions cannot be compared
	}
	if !reflect.DeepEqual(first, again) {
		t.Error("Info() changes")
	}
	if _, ok := f.Method.(mfa.Enroller); ok != i.Enrolls {
		t.Errorf("Info().Enrolls = %v, but an Enroller: %v", i.Enrolls, ok)
	}
}

func testRight(t *testing.T, f Fixture) {
	a := f.attempt(f.Owner)
	c, s := f.begin(t, a)
	p, err := f.finish(a, s, f.Answer(t, f.Owner, c, f.Now))
	if err != nil {
		t.Fatalf("right response: %v", err)
	}
	i := f.Method.Info()
	if p.User != f.Owner.User.ID || p.Authenticator == "" {
		t.Errorf("proof of %q with %q, want of %q with an authenticator", p.User, p.Authenticator, f.Owner.User.ID)
	}
	for _, k := range p.Kinds {
		if !slices.Contains(i.Kinds, k) {
			t.Errorf("proves %q, but Info says %v", k, i.Kinds)
		}
	}
	if len(p.Kinds) == 0 || len(p.AMR) == 0 || p.PhishingResistant && !i.PhishingResistant {
		t.Errorf("proof %+v against %+v", p, i)
	}
	if p.Spend.Authenticator != "" && (p.Spend.User != p.User || p.Spend.Authenticator != p.Authenticator) {
		t.Errorf("spends %+v for a proof of %s with %s", p.Spend, p.User, p.Authenticator)
	}
}

func testWritesNothing(t *testing.T, f Fixture) {
	a := f.attempt(f.Owner)
	c, s := f.begin(t, a)
	r := f.Answer(t, f.Owner, c, f.Now)
	one, err := f.finish(a, s, r)
	if err != nil {
		t.Fatalf("right response: %v", err)
	}
	two, err := f.finish(a, s, r)
	if err != nil {
		t.Fatalf("the same before anything was spent: %v", err)
	}
	if one.User != two.User || one.Authenticator != two.Authenticator || one.Spend.Step != two.Spend.Step || one.Spend.Code != two.Spend.Code {
		t.Errorf("proofs differ: %+v and %+v", one, two)
	}
}

func testReplay(t *testing.T, f Fixture) {
	if f.Reusable || f.Spend == nil {
		return // what is spent is the exchange, or nothing
	}
	a := f.attempt(f.Owner)
	c, s := f.begin(t, a)
	r := f.Answer(t, f.Owner, c, f.Now)
	p, err := f.finish(a, s, r)
	if err != nil {
		t.Fatalf("right response: %v", err)
	}
	if err := f.Spend(p); err != nil {
		t.Fatalf("spend: %v", err)
	}
	if err := f.Spend(p); err == nil {
		t.Error("the same proof is spent twice")
	}
	_, err = f.finish(a, s, r)
	f.requireRefusal(t, "the same response again", err)
}

func testWrong(t *testing.T, f Fixture) {
	a := f.attempt(f.Owner)
	c, s := f.begin(t, a)
	_, err := f.finish(a, s, f.Wrong(t, c))
	f.requireRefusal(t, "wrong response", err)
	if mfa.CodeOf(err) == mfa.Replayed {
		t.Error("a wrong response is called a replay")
	}
}

func testMalformed(t *testing.T, f Fixture) {
	a := f.attempt(f.Owner)
	_, s := f.begin(t, a)
	for _, r := range f.Malformed {
		if _, err := f.finish(a, s, r); mfa.CodeOf(err) != mfa.InvalidRequest {
			t.Errorf("Finish of malformed %q: %v, want %s", []byte(r), err, mfa.InvalidRequest)
		}
		p, ok := f.Method.(mfa.Parser)
		if !ok {
			continue
		}
		if err := p.Parse(a, r); mfa.CodeOf(err) != mfa.InvalidRequest {
			t.Errorf("Parse of malformed %q: %v, want %s", []byte(r), err, mfa.InvalidRequest)
		}
	}
}

func testOtherUser(t *testing.T, f Fixture) {
	a := f.attempt(f.Owner)
	c, s := f.begin(t, a)
	_, err := f.finish(a, s, f.Answer(t, f.Other, c, f.Now))
	f.requireRefusal(t, "another user's response", err)
	_, foreign := f.begin(t, f.attempt(f.Other))
	if foreign == nil {
		return
	}
	_, err = f.finish(a, foreign, f.Answer(t, f.Owner, c, f.Now))
	f.requireRefusal(t, "a response to another challenge", err)
}

func testLate(t *testing.T, f Fixture) {
	if f.Late == 0 {
		return
	}
	a := f.attempt(f.Owner)
	c, s := f.begin(t, a)
	r := f.Answer(t, f.Owner, c, f.Now)
	a.Now = f.Now.Add(f.Late)
	_, err := f.finish(a, s, r)
	f.requireRefusal(t, "a late response", err)
}

func testUnknownUser(t *testing.T, f Fixture) {
	a := f.attempt(nil)
	c, s := f.begin(t, a)
	p, err := f.finish(a, s, f.Answer(t, f.Owner, c, f.Now))
	if !f.FindsUser {
		f.requireRefusal(t, "a response for an unknown user", err)
		return
	}
	if err != nil || p.User != f.Owner.User.ID {
		t.Errorf("found %q, %v; want %q", p.User, err, f.Owner.User.ID)
	}
}

func testDisabledUser(t *testing.T, f Fixture) {
	f.Owner.User.Status = storage.UserDisabled
	a := f.attempt(f.Owner)
	c, s := f.begin(t, a)
	_, err := f.finish(a, s, f.Answer(t, f.Owner, c, f.Now))
	f.requireRefusal(t, "a disabled user's response", err)
}

func testInactive(t *testing.T, f Fixture) {
	for _, state := range []storage.AuthenticatorState{storage.AuthenticatorPending, storage.AuthenticatorDisabled} {
		for i := range f.Owner.Authenticators {
			f.Owner.Authenticators[i].State = state
		}
		a := f.attempt(f.Owner)
		c, s := f.begin(t, a)
		_, err := f.finish(a, s, f.Answer(t, f.Owner, c, f.Now))
		f.requireRefusal(t, "the response of a "+string(state)+" authenticator", err)
	}
}
