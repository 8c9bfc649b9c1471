package backend_test

import (
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
)

// TestCodesGoToTheAddressAsWritten: a spelling that is the same name may be another mailbox.
func TestCodesGoToTheAddressAsWritten(t *testing.T) {
	onBoth(t, func(h *mfatest.Fixture) {
		const own, other = "weiss@bücher.example", "WEISS@xn--bcher-kva.example"
		withCodes(h)
		a := create(h, backend.Draft{Email: own})
		_, err := h.Backend.CreateUser(t.Context(), h.Caller, backend.Draft{Email: other})
		refused(h.T, "the same address in another spelling", err, mfa.IdentifierTaken, storage.Email)
		for _, typed := range []string{other, "weiß@bücher.example"} {
			sent, err := h.Backend.Send(t.Context(), h.Caller, backend.Send{Kind: storage.Email, Address: typed, TTL: 10 * time.Minute})
			if mfatest.Want(h.T, typed, err, ""); err == nil && (sent.Account.User.ID != a.User.ID || sent.Identifier.Text() != own) {
				h.T.Errorf("%q is %+v", typed, sent.Identifier)
			}
		}
		if _, n := h.SentCode(own); n != 2 {
			h.T.Errorf("%d codes were sent to the address as written, want 2", n)
		}
		for _, to := range []string{"weiß@bücher.example", "weiss@xn--bcher-kva.example"} {
			if _, n := h.SentCode(to); n != 0 {
				h.T.Errorf("%d codes were sent to %q", n, to)
			}
		}
	})
}
