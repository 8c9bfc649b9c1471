package mfa_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestPasswordThenTOTPReachesAAL2(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	id := h.begin()
	if v := h.verdict(id); v.Need != mfa.NeedFirst {
		t.Fatalf("need = %q before anything, want first", v.Need)
	}
	want(t, "login", h.login(id, ownMail, ownPass), "")
	v := h.verdict(id)
	if v.Need != mfa.NeedSecond || v.ACR != mfa.AAL1 || !slices.Equal(v.Methods, []string{"totp", "recovery"}) {
		t.Fatalf("after the password: %+v, want second by totp or recovery at aal1", v)
	}
	next, err := h.prove(id, "totp", h.code(0), "")
	want(t, "totp", err, "")
	if next != "" {
		t.Errorf("an exchange is left after a right code: %q", next)
	}
	v = h.verdict(id)
	if v.Need != mfa.NeedNothing || v.ACR != mfa.AAL2 || !slices.Equal(v.AMR, []string{"mfa", "otp", "pwd"}) {
		t.Errorf("after both: %+v, want nothing needed, aal2, mfa otp pwd", v)
	}
	if p := h.proving(id, ""); p.Request.Subject != u.ID || len(p.Request.Factors) != 2 {
		t.Errorf("request holds %s and %d factors, want %s and 2", p.Request.Subject, len(p.Request.Factors), u.ID)
	}
	got := h.events()
	for _, kind := range []string{mfa.EventUserCreated, mfa.EventPasswordOK, mfa.EventMFAInitiated, mfa.EventMFAOK} {
		if !slices.Contains(got, kind) {
			t.Errorf("events %v lack %s", got, kind)
		}
	}
}

func TestACodeIsGoodOnce(t *testing.T) {
	h := newHouse(t)
	h.ada()
	first, second := h.loggedIn(), h.loggedIn()
	code := h.code(0)
	_, err := h.prove(first, "totp", code, "")
	want(t, "first use", err, "")
	_, err = h.prove(second, "totp", code, "")
	want(t, "second use in another login", err, mfa.Replayed)
	_, err = h.prove(second, "totp", h.code(-30*time.Second), "")
	want(t, "older step", err, mfa.InvalidPasscode)
	h.wait(30 * time.Second)
	_, err = h.prove(second, "totp", h.code(0), "")
	want(t, "next step", err, "")
}

func TestAReplayDoesNotCount(t *testing.T) {
	h := newHouse(t)
	h.ada()
	first, second := h.loggedIn(), h.loggedIn()
	code := h.code(0)
	_, err := h.prove(first, "totp", code, "")
	want(t, "first use", err, "")
	for range 8 {
		_, err := h.prove(second, "totp", code, "")
		want(t, "replay", err, mfa.Replayed)
	}
}

func TestOneOfManyRightCodesWins(t *testing.T) {
	h := newHouse(t)
	h.ada()
	// Whatever the throttle lets through, the step is spent once.
	var ids []storage.RequestID
	for range 10 {
		ids = append(ids, h.loggedIn())
	}
	code, wins := h.code(0), 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 50 {
		p := h.proving(ids[i%len(ids)], "")
		wg.Go(func() {
			_, err := h.verifier.Prove(context.Background(), h.visit, p, mfa.Choice{Method: "totp"}, "", mfa.Typed(code))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wins++
			} else if mfa.CodeOf(err) == "" {
				t.Errorf("got %v, want a refusal", err)
			}
		})
	}
	wg.Wait()
	if wins != 1 {
		t.Errorf("%d parallel uses of one code succeeded, want 1", wins)
	}
}

func TestTwoExchangesInParallelSpendOneCode(t *testing.T) {
	h := newHouse(t)
	h.ada()
	h.policy.Passwordless = false
	a, b := h.loggedIn(), h.loggedIn()
	var xs []storage.ExchangeID
	for _, id := range []storage.RequestID{a, b} {
		s, err := h.verifier.Initiate(context.Background(), h.visit, h.proving(id, ""), mfa.Choice{Method: "totp"})
		want(t, "initiate", err, "")
		xs = append(xs, s.Exchange)
	}
	errs := make([]error, len(xs))
	var wg sync.WaitGroup
	for i, x := range xs {
		wg.Go(func() {
			_, errs[i] = h.verifier.Verify(context.Background(), h.visit, mfa.Answer{Exchange: x, Method: "totp", Response: mfa.Typed(h.code(0))})
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("got %v and %v, want exactly one success", errs[0], errs[1])
	}
	for _, err := range errs {
		if err != nil {
			want(t, "loser", err, mfa.Replayed)
		}
	}
}

func TestWrongCodesKeepTheExchangeUntilItsTriesAreUsedUp(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.loggedIn()
	x, err := h.prove(id, "totp", h.wrong(), "")
	want(t, "try 1", err, mfa.InvalidPasscode)
	for i := 2; i <= 5; i++ {
		if x == "" {
			t.Fatalf("no exchange for try %d", i)
		}
		before := x
		x, err = h.prove(id, "totp", h.wrong(), x)
		want(t, "try", err, mfa.InvalidPasscode)
		if i < 5 && x != before {
			t.Fatalf("a wrong code changed the exchange")
		}
	}
	if x != "" {
		t.Errorf("after five tries an exchange is left")
	}
	_, err = h.prove(id, "totp", h.code(0), "")
	want(t, "right code during the wait", err, mfa.TooMany)
}

func TestMalformedCodesCountNothing(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.loggedIn()
	for _, typed := range []string{"", "12345", "1234567", "12 345", "12345a", "１２３４５６", "12345678"} {
		_, err := h.prove(id, "totp", typed, "")
		want(t, typed, err, mfa.InvalidRequest)
	}
	for _, raw := range []string{"", "123456", "null", `{"code":"123456"}`, `["123456"]`, "tru"} {
		_, err := h.verifier.Prove(context.Background(), h.visit, h.proving(id, ""), mfa.Choice{Method: "totp"}, "", mfa.Response(raw))
		want(t, raw, err, mfa.InvalidRequest)
	}
	if p := h.proving(id, ""); p.Request.Initiations != 0 {
		t.Errorf("initiations = %d after malformed codes, want 0", p.Request.Initiations)
	}
	_, err := h.prove(id, "totp", h.code(0), "")
	want(t, "right code after them", err, "")
}

func TestTheThrottleFollowsItsSchedule(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.loggedIn()
	waits := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour}
	for range 4 {
		_, err := h.prove(id, "totp", h.wrong(), "")
		want(t, "free failure", err, mfa.InvalidPasscode)
	}
	for i, wait := range waits {
		id = h.loggedIn()
		_, err := h.prove(id, "totp", h.wrong(), "")
		want(t, "counted failure", err, mfa.InvalidPasscode)
		h.wait(wait - time.Second)
		id = h.loggedIn()
		_, err = h.prove(id, "totp", h.code(0), "")
		want(t, "a second too early", err, mfa.TooMany)
		e, _ := err.(*mfa.Error)
		if e == nil || e.RetryAfter != time.Second {
			t.Fatalf("wait %d: %v, want a retry after 1s", i, err)
		}
		h.wait(time.Second)
	}
	id = h.loggedIn()
	_, err := h.prove(id, "totp", h.code(0), "")
	want(t, "right code after the wait", err, "")
	id = h.loggedIn()
	h.wait(30 * time.Second)
	_, err = h.prove(id, "totp", h.wrong(), "")
	want(t, "first failure after success", err, mfa.InvalidPasscode)
}

func TestAHundredFailuresSwitchTheFactorOff(t *testing.T) {
	h := newHouse(t)
	h.ada()
	for i := range 100 {
		id := h.loggedIn()
		_, err := h.prove(id, "totp", h.wrong(), "")
		want(t, "failure", err, mfa.InvalidPasscode)
		if i < 99 {
			h.wait(time.Hour)
		}
	}
	h.wait(48 * time.Hour)
	id := h.loggedIn()
	_, err := h.prove(id, "totp", h.code(0), "")
	want(t, "right code afterwards", err, mfa.Locked)
	_, err = h.prove(id, "recovery", "aaaaaaaaaaaaaaaaaaaaaaaa", "")
	want(t, "recovery code afterwards", err, mfa.Locked)
	if v := h.verdict(id); v.Need != mfa.NeedSecond {
		t.Errorf("need = %q with a factor switched off, want second", v.Need)
	}
	_, err = h.verifier.BeginEnrollment(context.Background(), h.visit, h.proving(id, ""), "totp", "thief's")
	want(t, "enrolling another one with the password alone", err, mfa.ReauthenticationRequired)
	if !slices.Contains(h.events(), mfa.EventMFADisabled) {
		t.Errorf("no event says that the factor was switched off")
	}
	ms := h.messages()
	if len(ms) != 1 || ms[0].Template != mfa.MessageFactorLocked || ms[0].Recipient != ownMail {
		t.Errorf("messages = %+v, want one about the lock to %s", ms, ownMail)
	}
}

func TestRecoveryCodes(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	id := h.loggedIn()
	_, err := h.prove(id, "recovery", "zzzz-zzzz-zzzz", "")
	want(t, "unknown code", err, mfa.InvalidPasscode)
	_, err = h.prove(id, "recovery", " BBBB bbbb–bbbb ", "")
	want(t, "code as somebody copied it", err, "")
	if v := h.verdict(id); v.ACR != mfa.AAL2 || !slices.Equal(v.AMR, []string{"mfa", "otp", "pwd"}) {
		t.Errorf("a recovery code gives %s %v, want aal2 with otp", v.ACR, v.AMR)
	}
	_, err = h.prove(h.loggedIn(), "recovery", "bbbb-bbbb-bbbb", "")
	want(t, "the same code again", err, mfa.InvalidPasscode)
	left, err := h.verifier.RecoveryCodes(context.Background(), u.ID)
	want(t, "read codes", err, "")
	if !slices.Equal(left, []string{"AAAAAA-AAAAAA-AAAAAA-AAAAAA", "ccccc-ccccc"}) {
		t.Errorf("left = %v", left)
	}
	ms := h.messages()
	if len(ms) != 1 || ms[0].Template != mfa.MessageRecoveryUsed || ms[0].Data["left"] != "2" {
		t.Errorf("messages = %+v, want one saying that 2 are left", ms)
	}
	for _, c := range []string{"aaaaaaaaaaaaaaaaaaaaaaaa", "ccccc-ccccc"} {
		_, err := h.prove(h.loggedIn(), "recovery", c, "")
		want(t, "the others", err, "")
	}
	if v := h.verdict(h.loggedIn()); !slices.Equal(v.Methods, []string{"totp"}) {
		t.Errorf("with all codes used one may choose %v, want totp", v.Methods)
	}
}

func TestParallelUseOfARecoveryCode(t *testing.T) {
	h := newHouse(t)
	h.ada()
	ps := []mfa.Proving{}
	for range 4 {
		ps = append(ps, h.proving(h.loggedIn(), ""))
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	wins := 0
	for _, p := range ps {
		wg.Go(func() {
			_, err := h.verifier.Prove(context.Background(), h.visit, p, mfa.Choice{Method: "recovery"}, "", mfa.Typed("ccccc-ccccc"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wins++
			}
		})
	}
	wg.Wait()
	if wins != 1 {
		t.Errorf("%d uses of one recovery code succeeded, want 1", wins)
	}
}

func TestCommitsOfEachStep(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.begin()
	var x mfa.Started
	for _, tc := range []struct {
		name string
		want int64
		step func() error
	}{
		{"login", 2, func() error { return h.login(id, ownMail, ownPass) }},
		{"initiate", 1, func() error {
			var err error
			x, err = h.verifier.Initiate(context.Background(), h.visit, h.proving(id, ""), mfa.Choice{Method: "totp"})
			return err
		}},
		{"verify", 2, func() error { _, err := h.verify(x.Exchange, h.code(0)); return err }},
		{"redeem", 1, func() error { return h.redeem(id, x.Status, mfa.UsageSecond) }},
		{"prove", 2, func() error { h.wait(30 * time.Second); _, err := h.prove(id, "totp", h.code(0), ""); return err }},
	} {
		before := h.store.Stats().Commits
		want(t, tc.name, tc.step(), "")
		if got := h.store.Stats().Commits - before; got != tc.want {
			t.Errorf("%s commits %d times, want %d", tc.name, got, tc.want)
		}
	}
}
