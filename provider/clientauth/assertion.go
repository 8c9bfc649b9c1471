package clientauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/provider/clientkeys"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/signing"
	"sallyport/storage"
)

const (
	privateKeyJWT = "private_key_jwt"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 section 2.2

	maxAssertion = 8 << 10
	maxID        = 256
	// tolerance is how far clocks of clients and servers may differ.
	tolerance = time.Minute
	// longestAssertion is how long an assertion may be valid: so long its ID is remembered. Libraries sign for an hour.
	longestAssertion = time.Hour
)

// assertion are the claims of a client assertion (RFC 7523 section 3, OpenID Connect Core section 9).
type assertion struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  json.RawMessage `json:"aud"` // text, or a list
	ID        string          `json:"jti"`
	Expires   *float64        `json:"exp"`
	Issued    *float64        `json:"iat"`
	NotBefore *float64        `json:"nbf"`
}

// readAssertion reads the credentials of a request with an assertion. The name of the client is not
// proven yet.
func readAssertion(r *http.Request, form url.Values) (credentials, *oauth.Error) {
	c := credentials{method: privateKeyJWT, id: form.Get("client_id"), secret: form.Get("client_assertion")}
	switch {
	case form.Get("client_assertion_type") != assertionType:
		return c, oauth.NewError("invalid_client", "the client_assertion_type is not supported").Because(oauth.UnsupportedMethod).About("client_assertion")
	case len(r.Header.Values("Authorization")) > 0 || form.Has("client_secret"):
		return c, oauth.NewError("invalid_request", "the client uses two methods of authentication").Because(oauth.WrongMethod).About("client_assertion")
	}
	var claims assertion
	if len(c.secret) > maxAssertion {
		return c, malformedAssertion()
	}
	payload, err := signing.Unverified(c.secret)
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Subject == "" || strings.Contains(claims.Subject, "\x00") {
		return c, malformedAssertion()
	}
	if c.id != "" && c.id != claims.Subject {
		return c, oauth.NewError("invalid_client", "client_id does not match the assertion").Because(oauth.InvalidAssertion).About("client_id")
	}
	c.id = claims.Subject
	return c, nil
}

func malformedAssertion() *oauth.Error {
	return oauth.NewError("invalid_client", "client_assertion is not a signed JWT about the client").Because(oauth.InvalidAssertion)
}

// assert verifies the assertion of an attempt, and keeps its claims. It returns why the assertion
// proves nothing, or an error if that cannot be told.
func (a *Authenticator) assert(ctx context.Context, t *attempt) (string, *oauth.Error) {
	c := t.client
	signed, err := a.signed(ctx, t)
	if e := a.untold(err); e != nil {
		return "", e
	}
	if err != nil || json.Unmarshal(signed.Payload, &t.claims) != nil {
		return oauth.InvalidAssertion, nil
	}
	if mayAssert(signed.Type) && a.accepts(c, t.claims, t.path) {
		return "", nil
	}
	// The client signed it: its clock or its settings are wrong, and that is no guess.
	if e := a.checkBudget(t, 1); e != nil {
		return "", e
	}
	a.failures.Add(1)
	return "", oauth.NewError("invalid_client", "the client assertion is signed, but not for this server and this time: check typ, iss, sub, aud, jti, exp, nbf and iat").Because(oauth.InvalidAssertion)
}

// signed verifies the signature of an assertion: by the client's secret, or by its keys. The method of the
// client decides which algorithms are read at all.
func (a *Authenticator) signed(ctx context.Context, t *attempt) (clientkeys.Signed, error) {
	c := t.client
	if t.sent.method == clients.SecretJWT {
		if c.Broken {
			a.journal.NoteRefusal(t.caller, budget.Refusals, a.journal.Event(t.caller, storage.Event{Kind: mfa.EventDecryptFailure, Outcome: mfa.OutcomeFailed,
				ClientID: c.ID, Detail: map[string]string{"method": t.sent.method, "reason": "client"}}))
		}
		return clientkeys.VerifySecret(t.sent.secret, c.SigningSecrets(), c.AuthSigningAlg)
	}
	return a.options.Keys.Verify(ctx, &c.Client, t.sent.secret, clientkeys.AlgorithmsOf(c.AuthSigningAlg, c.Profile == clients.FAPI2), a.mayFetch(t))
}

// mayFetch admits that an attempt makes the server fetch keys. It counts as a refusal.
func (a *Authenticator) mayFetch(t *attempt) func() error {
	return func() error { return a.options.Admit.Spend(t.caller, budget.Refusals, 1) }
}

// untold returns the refusal of an attempt because keys could not be fetched, which says nothing about
// what the client sent; nil: err is another.
func (a *Authenticator) untold(err error) *oauth.Error {
	refused, limited := errors.AsType[*mfa.Error](err)
	switch {
	case limited:
		a.failures.Add(1)
		return tooOften(refused.RetryAfter)
	case errors.Is(err, clientkeys.ErrUnavailable):
		a.failures.Add(1)
		return oauth.NewError("invalid_client", "the keys of the client can not be fetched").Because(oauth.UnavailableKeys)
	}
	return nil
}

// mayAssert reports whether a JWT of a type can be an assertion: a request object, which clients sign
// with the same key, passes for none (RFC 8725 section 3.11).
func mayAssert(typ string) bool {
	return typ == "" || strings.EqualFold(typ, "JWT") || strings.EqualFold(typ, "client-authentication+jwt")
}

// accepts reports whether the claims are of the client, for this server, and of this time. Every
// audience must be this server's: another one could send the assertion here.
func (a *Authenticator) accepts(c *clients.Client, s assertion, path string) bool {
	now := float64(a.now().Unix())
	late := now + tolerance.Seconds()
	return s.Issuer == string(c.ID) && s.Subject == string(c.ID) && a.isAudience(c, s.Audience, path) &&
		s.ID != "" && len(s.ID) <= maxID &&
		s.Expires != nil && *s.Expires > now-tolerance.Seconds() && *s.Expires <= late+longestAssertion.Seconds() &&
		(s.Issued == nil || *s.Issued <= late) && (s.NotBefore == nil || *s.NotBefore <= late)
}

// isAudience reports whether a claim aud is this server: its issuer or an endpoint, in a list or not.
// For clients with profile fapi2 it is the issuer alone, as text (FAPI 2.0 Security Profile section
// 5.3.2.1).
func (a *Authenticator) isAudience(c *clients.Client, claim json.RawMessage, path string) bool {
	if c.Profile == clients.FAPI2 {
		var one string
		return json.Unmarshal(claim, &one) == nil && one == a.options.Issuer
	}
	ours := []string{a.options.Issuer}
	for _, base := range a.options.MTLS.Bases(a.options.Issuer) {
		ours = append(ours, base+"/token", base+path)
	}
	var list signing.Audience
	return json.Unmarshal(claim, &list) == nil && len(list) > 0 && oauth.Covers(ours, list)
}

// useAssertion uses an assertion: of any number of requests with it, on any number of servers, one
// gets nil.
func (a *Authenticator) useAssertion(ctx context.Context, c *clients.Client, s assertion) *oauth.Error {
	until := time.Unix(int64(*s.Expires), 0).UTC().Add(2 * tolerance)
	err := a.store.UseProof(ctx, "assertion "+string(c.ID)+" "+s.ID, until)
	if errors.Is(err, storage.ErrConflict) {
		return oauth.NewError("invalid_client", "the client assertion was used before").Because(oauth.UsedAssertion)
	}
	if err != nil {
		return oauth.Unavailable(err)
	}
	return nil
}
