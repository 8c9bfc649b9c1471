package grants

import (
	"context"
	"testing"
	"time"
)

func TestNothingIsWrittenWithoutATransaction(t *testing.T) {
	s := &store{}
	ctx := context.Background()
	for name, err := range map[string]error{
		"invalidate": s.InvalidateAuthorizeCodeSession(ctx, "x"), "create refresh": s.CreateRefreshTokenSession(ctx, "x", "y", nil),
		"rotate": s.RotateRefreshToken(ctx, "x", "y"), "revoke": s.RevokeRefreshToken(ctx, "x"), "commit": s.Commit(ctx),
		"rollback": s.Rollback(ctx),
	} {
		if err == nil {
			t.Errorf("%s succeeded, want an error", name)
		}
	}
}

func TestARollbackKeepsARevocation(t *testing.T) {
	s := &store{}
	ctx, tx := begin(context.Background(), time.Time{})
	for _, err := range []error{s.InvalidateAuthorizeCodeSession(ctx, ""), s.CreateRefreshTokenSession(ctx, "", "", nil),
		s.RevokeAccessToken(ctx, "g"), s.Commit(ctx), s.Rollback(ctx)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if tx.redeem || tx.refresh || tx.committed || tx.revoke != "g" {
		t.Errorf("transaction = %+v, want the revocation alone", tx)
	}
}
