package desired

import (
	"context"
	"errors"
	"testing"

	"sallyport/mfa"
)

// unsettled is a store of which only the primary has everything.
type unsettled struct{ Store }

var errUnsettled = errors.New("no standby")

func (unsettled) Settle(context.Context) error { return errUnsettled }

// TestNothingToChangeIsSettled is R-6: what a retry finds done may be a commit that no standby has.
func TestNothingToChangeIsSettled(t *testing.T) {
	if err := (Records{Store: unsettled{}}).CarryOut(t.Context(), mfa.Caller{}, Plan{}); !errors.Is(err, errUnsettled) {
		t.Errorf("error = %v, want that of Settle", err)
	}
}
