package exchange_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

func TestPasswordThenTOTPReachesAAL2(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	id := h.OpenRequest()
	if v := h.Verdict(id); v.Need != mfa.NeedFirst {
		t.Fatalf("need = %q before anything, want first", v.Need)
	}
	mfatest.Want(t, "login", h.SignIn(id, mfatest.Email, mfatest.Password), "")
	v := h.Verdict(id)
	if v.Need != mfa.NeedSecond || v.ACR != mfa.AAL1 || !slices.Equal(v.Methods, []string{"totp", "recovery"}) {
		t.Fatalf("after the password: %+v, want second by totp or recovery at aal1", v)
	}
	next, err := h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "totp", err, "")
	if next != "" {
		t.Errorf("an exchange is left after a right code: %q", next)
	}
	v = h.Verdict(id)
	if v.Need != mfa.NeedNothing || v.ACR != mfa.AAL2 || !slices.Equal(v.AMR, []string{"mfa", "otp", "pwd"}) {
		t.Errorf("after both: %+v, want nothing needed, aal2, mfa otp pwd", v)
	}
	if p := h.Read(id, ""); p.Request.Subject != u.ID || len(p.Request.Factors) != 2 {
		t.Errorf("request holds %s and %d factors, want %s and 2", p.Request.Subject, len(p.Request.Factors), u.ID)
	}
	got := h.Events()
	for _, kind := range []string{mfa.EventUserCreated, mfa.EventPasswordOK, mfa.EventMFAInitiated, mfa.EventMFAOK} {
		if !slices.Contains(got, kind) {
			t.Errorf("events %v lack %s", got, kind)
		}
	}
}

func TestACodeIsValidOnce(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	first, second := h.SignedIn(), h.SignedIn()
	code := h.Code(0)
	_, err := h.Prove(first, "totp", code, "")
	mfatest.Want(t, "first use", err, "")
	_, err = h.Prove(second, "totp", code, "")
	mfatest.Want(t, "second use in another login", err, mfa.Replayed)
	_, err = h.Prove(second, "totp", h.Code(-30*time.Second), "")
	mfatest.Want(t, "older step", err, mfa.InvalidPasscode)
	h.Advance(30 * time.Second)
	_, err = h.Prove(second, "totp", h.Code(0), "")
	mfatest.Want(t, "next step", err, "")
}

func TestAReplayDoesNotCount(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	first, second := h.SignedIn(), h.SignedIn()
	code := h.Code(0)
	_, err := h.Prove(first, "totp", code, "")
	mfatest.Want(t, "first use", err, "")
	for range 8 {
		_, err := h.Prove(second, "totp", code, "")
		mfatest.Want(t, "replay", err, mfa.Replayed)
	}
}

func TestOneOfManyRightCodesWins(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	// Whatever the throttle lets through, the step is spent once.
	var ids []storage.RequestID
	for range 10 {
		ids = append(ids, h.SignedIn())
	}
	code, wins := h.Code(0), 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 50 {
		p := h.Read(ids[i%len(ids)], "")
		wg.Go(func() {
			_, err := h.Verifier.Prove(context.Background(), h.Caller, p, exchange.Choice{Method: "totp"}, "", mfa.Typed(code))
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
	h := mfatest.New(t)
	h.CreateAda()
	h.Policy.Passwordless = false
	a, b := h.SignedIn(), h.SignedIn()
	var xs []storage.ExchangeID
	for _, id := range []storage.RequestID{a, b} {
		s, err := h.Verifier.Initiate(context.Background(), h.Caller, h.Read(id, ""), exchange.Choice{Method: "totp"})
		mfatest.Want(t, "initiate", err, "")
		xs = append(xs, s.Exchange)
	}
	errs := make([]error, len(xs))
	var wg sync.WaitGroup
	for i, x := range xs {
		wg.Go(func() {
			_, errs[i] = h.Verifier.Verify(context.Background(), h.Caller, exchange.Answer{Exchange: x, Method: "totp", Response: mfa.Typed(h.Code(0))})
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("got %v and %v, want exactly one success", errs[0], errs[1])
	}
	for _, err := range errs {
		if err != nil {
			mfatest.Want(t, "loser", err, mfa.Replayed)
		}
	}
}

func TestWrongCodesKeepTheExchangeUntilItsTriesAreUsedUp(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	x, err := h.Prove(id, "totp", h.Wrong(), "")
	mfatest.Want(t, "try 1", err, mfa.InvalidPasscode)
	for i := 2; i <= 5; i++ {
		if x == "" {
			t.Fatalf("no exchange for try %d", i)
		}
		before := x
		x, err = h.Prove(id, "totp", h.Wrong(), x)
		mfatest.Want(t, "try", err, mfa.InvalidPasscode)
		if i < 5 && x != before {
			t.Fatalf("a wrong code changed the exchange")
		}
	}
	if x != "" {
		t.Errorf("after five tries an exchange is left")
	}
	_, err = h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "right code during the wait", err, mfa.TooMany)
}

func TestMalformedCodesAreNotCounted(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	for _, typed := range []string{"", "12345", "1234567", "12 345", "12345a", "１２３４５６", "12345678"} {
		_, err := h.Prove(id, "totp", typed, "")
		mfatest.Want(t, typed, err, mfa.InvalidRequest)
	}
	for _, raw := range []string{"", "123456", "null", `{"code":"123456"}`, `["123456"]`, "tru"} {
		_, err := h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), exchange.Choice{Method: "totp"}, "", mfa.Response(raw))
		mfatest.Want(t, raw, err, mfa.InvalidRequest)
	}
	if p := h.Read(id, ""); p.Request.Initiations != 0 {
		t.Errorf("initiations = %d after malformed codes, want 0", p.Request.Initiations)
	}
	_, err := h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "right code after them", err, "")
}

func TestTheThrottleFollowsItsSchedule(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	waits := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour}
	for range 4 {
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, "free failure", err, mfa.InvalidPasscode)
	}
	for i, wait := range waits {
		id = h.SignedIn()
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, "counted failure", err, mfa.InvalidPasscode)
		h.Advance(wait - time.Second)
		id = h.SignedIn()
		_, err = h.Prove(id, "totp", h.Code(0), "")
		mfatest.Want(t, "a second too early", err, mfa.TooMany)
		e, _ := err.(*mfa.Error)
		if e == nil || e.RetryAfter != time.Second {
			t.Fatalf("wait %d: %v, want a retry after 1s", i, err)
		}
		h.Advance(time.Second)
	}
	id = h.SignedIn()
	_, err := h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "right code after the wait", err, "")
	id = h.SignedIn()
	h.Advance(30 * time.Second)
	_, err = h.Prove(id, "totp", h.Wrong(), "")
	mfatest.Want(t, "first failure after success", err, mfa.InvalidPasscode)
}

func TestAHundredFailuresDisableTheFactor(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	for i := range 100 {
		id := h.SignedIn()
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, "failure", err, mfa.InvalidPasscode)
		if i < 99 {
			h.Advance(time.Hour)
		}
	}
	h.Advance(48 * time.Hour)
	id := h.SignedIn()
	_, err := h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "right code afterwards", err, mfa.Locked)
	_, err = h.Prove(id, "recovery", "aaaaaaaaaaaaaaaaaaaaaaaa", "")
	mfatest.Want(t, "recovery code afterwards", err, mfa.Locked)
	if v := h.Verdict(id); v.Need != mfa.NeedSecond {
		t.Errorf("need = %q with a factor switched off, want second", v.Need)
	}
	_, err = h.Verifier.Enroll(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: "totp", Name: "thief's"})
	mfatest.Want(t, "enrolling another one with the password alone", err, mfa.ReauthenticationRequired)
	if !slices.Contains(h.Events(), mfa.EventMFADisabled) {
		t.Errorf("no event says that the factor was switched off")
	}
	ms := h.Messages()
	if len(ms) != 1 || ms[0].Template != notice.FactorLocked || ms[0].Recipient != mfatest.Email {
		t.Errorf("messages = %+v, want one about the lock to %s", ms, mfatest.Email)
	}
}

func TestRecoveryCodes(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	id := h.SignedIn()
	_, err := h.Prove(id, "recovery", "zzzz-zzzz-zzzz", "")
	mfatest.Want(t, "unknown code", err, mfa.InvalidPasscode)
	_, err = h.Prove(id, "recovery", " BBBB bbbb–bbbb ", "")
	mfatest.Want(t, "copied code", err, "")
	if v := h.Verdict(id); v.ACR != mfa.AAL2 || !slices.Equal(v.AMR, []string{"mfa", "otp", "pwd"}) {
		t.Errorf("a recovery code gives %s %v, want aal2 with otp", v.ACR, v.AMR)
	}
	_, err = h.Prove(h.SignedIn(), "recovery", "bbbb-bbbb-bbbb", "")
	mfatest.Want(t, "the same code again", err, mfa.InvalidPasscode)
	left, err := h.Verifier.RecoveryCodes(context.Background(), u.ID)
	mfatest.Want(t, "read codes", err, "")
	if !slices.Equal(left, []string{"AAAAAA-AAAAAA-AAAAAA-AAAAAA", "ccccc-ccccc"}) {
		t.Errorf("left = %v", left)
	}
	ms := h.Messages()
	if len(ms) != 1 || ms[0].Template != notice.RecoveryUsed || ms[0].Data["left"] != "2" {
		t.Errorf("messages = %+v, want one saying that 2 are left", ms)
	}
	for _, c := range []string{"aaaaaaaaaaaaaaaaaaaaaaaa", "ccccc-ccccc"} {
		_, err := h.Prove(h.SignedIn(), "recovery", c, "")
		mfatest.Want(t, "the others", err, "")
	}
	if v := h.Verdict(h.SignedIn()); !slices.Equal(v.Methods, []string{"totp"}) {
		t.Errorf("with all codes used one may choose %v, want totp", v.Methods)
	}
}

func TestParallelUseOfARecoveryCode(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	ps := []exchange.Login{}
	for range 4 {
		ps = append(ps, h.Read(h.SignedIn(), ""))
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	wins := 0
	for _, p := range ps {
		wg.Go(func() {
			_, err := h.Verifier.Prove(context.Background(), h.Caller, p, exchange.Choice{Method: "recovery"}, "", mfa.Typed("ccccc-ccccc"))
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
	h := mfatest.New(t)
	h.CreateAda()
	id := h.OpenRequest()
	var x exchange.Initiation
	for _, tc := range []struct {
		name string
		want int64
		step func() error
	}{
		{"login", 2, func() error { return h.SignIn(id, mfatest.Email, mfatest.Password) }},
		{"initiate", 1, func() error {
			var err error
			x, err = h.Verifier.Initiate(context.Background(), h.Caller, h.Read(id, ""), exchange.Choice{Method: "totp"})
			return err
		}},
		{"verify", 2, func() error { _, err := h.Verify(x.Exchange, h.Code(0)); return err }},
		{"redeem", 1, func() error { return h.Redeem(id, x.Status, mfa.UsageSecond) }},
		{"prove", 2, func() error { h.Advance(30 * time.Second); _, err := h.Prove(id, "totp", h.Code(0), ""); return err }},
	} {
		before := h.Store.Stats().Commits
		mfatest.Want(t, tc.name, tc.step(), "")
		if got := h.Store.Stats().Commits - before; got != tc.want {
			t.Errorf("%s commits %d times, want %d", tc.name, got, tc.want)
		}
	}
}
