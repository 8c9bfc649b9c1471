package provider

import (
	"fmt"
	"sync"
	"testing"
)

func TestCheckedTokensRememberABoundedNumber(t *testing.T) {
	var v checkedTokens
	for i := range 3 * checkedMost {
		v.put(fmt.Sprint(i), checkedToken{typ: "t"})
	}
	if n := len(v.new) + len(v.old); n > 2*checkedMost {
		t.Errorf("%d tokens are remembered, want %d at most", n, 2*checkedMost)
	}
	if _, ok := v.get("0"); ok {
		t.Error("the oldest token is still remembered")
	}
	if _, ok := v.get(fmt.Sprint(3*checkedMost - 1)); !ok {
		t.Error("the newest token is forgotten")
	}
	if _, ok := v.get("never seen"); ok {
		t.Error("a token that was never checked counts as checked")
	}
}

func TestCheckedTokensKeepWhatIsAskedForAgain(t *testing.T) {
	var v checkedTokens
	v.put("often", checkedToken{typ: "t"})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range checkedMost {
				v.put(fmt.Sprint(w, i), checkedToken{})
				v.get("often")
			}
		})
	}
	wg.Wait()
	if seen, ok := v.get("often"); !ok || seen.typ != "t" {
		t.Error("a token asked for all the time was forgotten")
	}
}
