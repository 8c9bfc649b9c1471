package exchange_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
)

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
