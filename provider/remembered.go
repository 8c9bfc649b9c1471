package provider

import (
	"context"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/storage"
)

// require applies the policy table to a user's proofs in a browser (inBrowser), which may be
// remembered for that user. It reads the device only where a second factor is missing and the
// client accepts a remembered one. The device is nil unless it was read and is still good.
func (p *Provider) require(ctx context.Context, policy mfa.Policy, a *storage.Account, fs []storage.Factor, needs mfa.Requirements,
	inBrowser bool, v mfa.Caller) (mfa.Verdict, *storage.RememberedDevice, error) {
	verdict := mfa.Require(policy, a, fs, needs, p.verifier.Methods(), p.now())
	if verdict.Need != mfa.NeedSecond || policy.Remember == 0 || !inBrowser {
		return verdict, nil, nil
	}
	device, err := p.sessions.Remembered(ctx, v, a.User.ID)
	if err != nil || device == nil {
		return verdict, nil, err
	}
	needs.Remembered = &device.Factor
	return mfa.Require(policy, a, fs, needs, p.verifier.Methods(), p.now()), device, nil
}

// useRemembered adds the use of a remembered device to the end of a login.
func (p *Provider) useRemembered(f *storage.Finish, done *Finished, verdict mfa.Verdict, d *storage.RememberedDevice, v mfa.Caller) {
	if !verdict.Spared || d == nil {
		return
	}
	f.Remembered = p.sessions.UseRemembered(*d, f.Now)
	done.Remembered = p.sessions.RememberedCookie(v.Remembered, d.ID, d.Generation+1)
}

// ownPages reports whether the browser that the login is bound to has proven its factors itself:
// nobody else can have begun the login, or be told of its cookies.
func (st Step) ownPages() bool { return st.Owned && st.InBrowser && st.Request.Parent == nil }

// MayRemember reports whether the user may have the browser remembered with the second factor.
func (st Step) MayRemember() bool {
	return st.Kind == StepVerify && st.ownPages() && st.Client.MFARemember > 0
}

// Remember returns a login in which the proof of the second factor also has the browser
// remembered, and the cookie to set after the proof. Where that may not be, the login is unchanged
// and the cookie "".
func (p *Provider) Remember(st Step, v mfa.Caller, login exchange.Login) (exchange.Login, string) {
	if !st.MayRemember() {
		return login, ""
	}
	d := p.sessions.RememberDevice(v, st.Request.Subject, st.device, st.Client.MFARemember.Duration())
	login.Remember = &d
	return login, p.sessions.RememberedCookie(v.Remembered, d.ID, d.Generation)
}

// spared adds to the detail of an event which remembered device stood in for a second factor.
func spared(detail map[string]string, verdict mfa.Verdict, d *storage.RememberedDevice) map[string]string {
	if verdict.Spared && d != nil {
		detail["device"] = string(d.ID)
	}
	return detail
}

// detail returns the detail of the event that ends a login.
func (p *Provider) detail(st Step, a storage.Authorization) map[string]string {
	out := spared(map[string]string{"acr": a.ACR}, st.Verdict, st.device)
	if st.Client.MFA == mfa.MFASmart {
		out["new"] = mfa.Rules{Policy: st.Login.Policy, Methods: p.verifier.Methods()}.News(st.Verdict.Factors)
	}
	return out
}
