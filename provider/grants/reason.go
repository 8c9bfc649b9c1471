package grants

import (
	"context"
	"net/url"

	"sallyport/mfa"
	"sallyport/provider/oauth"
)

// refused logs why a code or refresh token is not accepted; fosite has one error for all reasons.
func refused(ctx context.Context, parameter, reason string) {
	mfa.Refused(ctx, mfa.Refusal{Reason: reason, Parameter: parameter})
}

// reused returns the error for a code or refresh token that was used again.
func (tx *transaction) reused() *oauth.Error {
	e := oauth.Standard("invalid_grant").Because(oauth.UsedToken).About("refresh_token")
	e.Event = mfa.EventRefreshReused
	if tx.code != nil {
		e.Event, e.Reason, e.Parameter = mfa.EventCodeReplayed, oauth.UsedCode, "code"
	}
	return e
}

// explain logs why fosite refused a code that was found.
func (tx *transaction) explain(ctx context.Context, e *oauth.Error, form url.Values) {
	if e.Code != "invalid_grant" || e.Reason != "" || tx.code == nil {
		return
	}
	if tx.code.Grant.RedirectURI != form.Get("redirect_uri") {
		mfa.Refused(ctx, mfa.Refusal{Reason: oauth.WrongRedirect, Parameter: "redirect_uri", Value: form.Get("redirect_uri")})
	}
}
