package signing

import (
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
)

// tokenOf returns a token without content.
func tokenOf(n ...any) string { return fmt.Sprint(n...) + ".." }

func TestVerifiedTokensAreBounded(t *testing.T) {
	var v verifiedTokens
	for i := range 3 * verifiedMost {
		v.put(tokenOf(i), "t")
	}
	if n := len(v.new) + len(v.old); n > 2*verifiedMost {
		t.Errorf("%d tokens are cached, want at most %d", n, 2*verifiedMost)
	}
	if _, _, ok := v.get(tokenOf(0)); ok {
		t.Error("the oldest token is still cached")
	}
	if _, _, ok := v.get(tokenOf(3*verifiedMost - 1)); !ok {
		t.Error("the newest token is not cached")
	}
	if _, _, ok := v.get("never seen"); ok {
		t.Error("an unknown token is reported as verified")
	}
}

func TestATokenInUseStaysCached(t *testing.T) {
	var v verifiedTokens
	v.put("often..", "t")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range verifiedMost {
				v.put(tokenOf(w, i), "")
				v.get("often..")
			}
		})
	}
	wg.Wait()
	if _, typ, ok := v.get("often.."); !ok || typ != "t" {
		t.Error("a token that is used all the time was dropped")
	}
}

func TestAVerifiedTokenHasItsPayload(t *testing.T) {
	var v verifiedTokens
	token := "eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"someone"}`)) + ".c2lnbmF0dXJl"
	v.put(token, "at+jwt")
	for range 2 { // reading it changes nothing
		payload, typ, ok := v.get(token)
		if string(payload) != `{"sub":"someone"}` || typ != "at+jwt" || !ok {
			t.Errorf("get = %q, %q, %v, want the payload of the token", payload, typ, ok)
		}
	}
}
