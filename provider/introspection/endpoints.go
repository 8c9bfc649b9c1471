package introspection

import (
	"net/http"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider/clientauth"
	"sallyport/provider/clients"
	"sallyport/provider/dpop"
	"sallyport/provider/mtls"
	"sallyport/provider/oauth"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Store is the part of storage that the endpoints use.
type Store interface {
	storage.Grants
	storage.Settling
}

// Endpoints are the endpoints to which clients present tokens.
type Endpoints struct {
	issuer   string
	store    Store
	clients  *clients.Cache
	auth     *clientauth.Authenticator
	proofs   *dpop.Verifier
	codec    *token.Codec
	verifier *exchange.Verifier
	sessions *session.Registry
	journal  *audit.Journal
	respond  *oauth.Responder
	now      func() time.Time
}

// New returns the Endpoints of an issuer.
func New(issuer string, s Store, c *clients.Cache, auth *clientauth.Authenticator, proofs *dpop.Verifier, codec *token.Codec, verifier *exchange.Verifier,
	sessions *session.Registry, journal *audit.Journal, respond *oauth.Responder, now func() time.Time) *Endpoints {
	return &Endpoints{issuer: issuer, store: s, clients: c, auth: auth, proofs: proofs, codec: codec, verifier: verifier, sessions: sessions,
		journal: journal, respond: respond, now: now}
}

// checkHolder refuses an access token that is bound to a key or certificate, unless the request proves
// it, and a proof for a token that is not bound to a key (RFC 9449 section 7, RFC 8705 section 3). The
// proof it returns, if any, still has to be used, once the token is known to be active: the holder of
// another one must not cause a write.
func (e *Endpoints) checkHolder(w http.ResponseWriter, r *http.Request, v mfa.Caller, p oauth.Presented, t token.Access) (*dpop.Proof, *oauth.Error) {
	var bound token.Confirmation
	if t.Confirmation != nil {
		bound = *t.Confirmation
	}
	presented := mtls.Thumbprint(v.Certificates)
	switch {
	case bound.Certificate != "" && presented == "":
		return nil, oauth.NewError("invalid_token", "the access token is bound to a certificate: present it").Because(oauth.NoCertificate)
	case bound.Certificate != "" && bound.Certificate != presented:
		return nil, oauth.NewError("invalid_token", "the access token is bound to another certificate").Because(oauth.WrongCertificate)
	case bound.JKT == "" && !p.DPoP:
		return nil, nil
	case bound.JKT == "":
		return nil, oauth.NewError("invalid_token", "the access token is not bound to a key: send it with the scheme Bearer").Because(oauth.WrongKey)
	case !p.DPoP:
		return nil, oauth.NewError("invalid_token", "the access token is bound to a key: send it with the scheme DPoP and a proof").Because(oauth.NoProof)
	}
	proof, fault := e.proofs.Read(w, r, p.Token)
	switch {
	case fault != nil:
		return nil, fault
	case proof == nil:
		return nil, oauth.NewError("invalid_dpop_proof", "there is no DPoP proof").Because(oauth.NoProof).About(dpop.Header)
	case proof.Key != bound.JKT:
		return nil, oauth.NewError("invalid_token", "the access token is bound to another key").Because(oauth.WrongKey)
	}
	return proof, nil
}
