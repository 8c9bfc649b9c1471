package signing

import (
	"fmt"
	"sync"
	"testing"
)

func TestVerifiedTokensAreBounded(t *testing.T) {
	var v verifiedTokens
	for i := range 3 * verifiedMost {
		v.put(fmt.Sprint(i), verifiedToken{typ: "t"})
	}
	if n := len(v.new) + len(v.old); n > 2*verifiedMost {
		t.Errorf("%d tokens are cached, want at most %d", n, 2*verifiedMost)
	}
	if _, ok := v.get("0"); ok {
		t.Error("the oldest token is still cached")
	}
	if _, ok := v.get(fmt.Sprint(3*verifiedMost - 1)); !ok {
		t.Error("the newest token is not cached")
	}
	if _, ok := v.get("never seen"); ok {
		t.Error("an unknown token is reported as verified")
	}
}

func TestATokenInUseStaysCached(t *testing.T) {
	var v verifiedTokens
	v.put("often", verifiedToken{typ: "t"})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range verifiedMost {
				v.put(fmt.Sprint(w, i), verifiedToken{})
				v.get("often")
			}
		})
	}
	wg.Wait()
	if seen, ok := v.get("often"); !ok || seen.typ != "t" {
		t.Error("a token that is used all the time was dropped")
	}
}
