package clientauth

import (
	"context"

	"sallyport/provider/mtls"
	"sallyport/provider/oauth"
)

// certify judges the certificate of an attempt (RFC 8705 section 2). It returns why the certificate
// does not prove the client, or an error if that can not be told.
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
