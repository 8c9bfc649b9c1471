package clientauth

import (
	"context"

	"sallyport/provider/mtls"
	"sallyport/provider/oauth"
)

// verifyCertificate verifies the certificate of an attempt. It cannot be guessed, so the client waits
// after no number of failures: strangers in its network, such as all callers behind a relay, could
// otherwise keep it out. They spend from the budget of their address.
func (a *Authenticator) verifyCertificate(ctx context.Context, s *slot, t *attempt) *oauth.Error {
	fault, e := a.fault(ctx, t)
	if fault == "" {
		return e
	}
	if e := a.checkBudget(t, 1); e != nil {
		return e
	}
	a.failures.Add(1)
	if now := a.now().UnixMicro(); now-s.unfit.Swap(now) >= window.Microseconds() {
		a.report(t, map[string]string{"reason": fault})
	}
	return refusal(t, fault)
}

// certify judges the certificate of an attempt (RFC 8705 section 2). It returns why the certificate
// does not prove the client, or an error if that cannot be told.
func (a *Authenticator) certify(ctx context.Context, t *attempt) (string, *oauth.Error) {
	chain, c, now := t.caller.Certificates, &t.client.Client, a.now()
	if a.options.MTLS == nil {
		return oauth.NoCertificate, nil
	}
	if err := mtls.Fit(chain, now); err != nil {
		return mtls.Reason(err), nil
	}
	if t.sent.method == mtls.TLSClientAuth {
		switch authorities := a.options.MTLS.Authorities; {
		case authorities == nil || authorities.Verify(chain, now) != nil:
			return oauth.InvalidCertificate, nil
		case !mtls.Names(c, chain[0]):
			return oauth.WrongCertificate, nil
		}
		return "", nil
	}
	found, err := a.options.Keys.HasCertificate(ctx, c, chain[0], a.mayFetch(t))
	if e := a.untold(err); e != nil {
		return "", e
	}
	if !found {
		return oauth.WrongCertificate, nil
	}
	return "", nil
}
