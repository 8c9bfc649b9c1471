package mfa

import (
	"fmt"
	"strings"
	"testing"
)

func TestResponsesAreNotLogged(t *testing.T) {
	r := Typed("123456")
	if got := fmt.Sprintf("%v %s %+v", r, r, struct{ R Response }{r}); strings.Contains(got, "123456") {
		t.Errorf("a response shows %q", got)
	}
}
