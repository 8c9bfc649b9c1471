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
	for _, typed := range []string{"", "12345", "1234567", "12 345", "12345a", "１２３４５", "12345678"} {
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
