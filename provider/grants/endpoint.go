package grants

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/details"
	"sallyport/provider/oauth"
	"sallyport/provider/token"
)

// tokens is the response of the token endpoint (RFC 6749 section 5.1, OpenID Connect Core
// section 3.1.3.3).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	// Scope is always there for tokens of users, who may have left out all that was requested.
	Scope   *string         `json:"scope,omitempty"`
	Details json.RawMessage `json:"authorization_details,omitempty"` // RFC 9396 section 7
	// IssuedType is that of an exchange (RFC 8693 section 2.2.1).
	IssuedType string `json:"issued_token_type,omitempty"`
}

// Token is the token endpoint (RFC 6749 section 3.2).
func (i *Issuer) Token(w http.ResponseWriter, r *http.Request, caller mfa.Caller) {
	form, e := oauth.ReadForm(r)
	if e == nil {
		e = checkGrantType(form)
	}
	if e != nil {
		i.respond.Error(w, r, e)
		return
	}
	if form.Get("grant_type") != clients.TokenExchange {
		delete(form, "audience") // a parameter of fosite; clients send resource
	}
	ctx, tx := begin(r.Context(), i.now())
	tx.caller, tx.grantType, tx.verifier = caller, form.Get("grant_type"), form.Get("code_verifier")
	// Before the client is authenticated: an assertion is good once, and a proof without a nonce is
	// sent again.
	tx.proof, e = i.proofs.Read(w, r, "")
	if e != nil {
		i.respond.Error(w, r, e)
		return
	}
	answer := i.token
	if tx.grantType == clients.TokenExchange {
		answer = i.exchange
	}
	response, e := answer(ctx, tx, r, form)
	if e != nil {
		i.respond.Error(w, r, e)
		return
	}
	oauth.WriteJSON(w, http.StatusOK, response)
}

func checkGrantType(form url.Values) *oauth.Error {
	switch grant := form.Get("grant_type"); {
	case grant == "":
		return oauth.NewError("invalid_request", "grant_type is missing").About("grant_type")
	case !slices.Contains(clients.GrantTypes, grant):
		return oauth.Standard("unsupported_grant_type")
	case len(form.Get("scope")) > oauth.MaxScope:
		return oauth.NewError("invalid_scope", "scope is too long")
	}
	return nil
}

// token creates the tokens, writes the transaction and returns the response.
func (i *Issuer) token(ctx context.Context, tx *transaction, r *http.Request, form url.Values) (*tokens, *oauth.Error) {
	requested, err := i.fosite.NewAccessRequest(ctx, r, &session{})
	if tx.revoke != "" {
		return nil, i.revokeFamily(ctx, tx)
	}
	if err != nil {
		e := oauth.ErrorOf(err)
		tx.explain(ctx, e, form)
		if e.Code == "invalid_grant" && form.Get("grant_type") == "client_credentials" {
			e = oauth.Standard("unauthorized_client") // the client is public
		}
		return nil, e
	}
	access, isAccess := requested.(*fosite.AccessRequest)
	sess, isSession := requested.GetSession().(*session)
	c, isClient := requested.GetClient().(*clients.Client)
	if !isAccess || !isSession || !isClient {
		return nil, oauth.ErrorOf(errSession)
	}
	if e := narrow(access, sess, c, form, i.options.Issuer); e != nil {
		return nil, e
	}
	if sess.details, err = i.details(sess, c, form); err != nil {
		return nil, oauth.ErrorOf(err)
	}
	sess.bound = token.BoundTo(tx.proof.Thumbprint(), tx.certificateOf(c))
	issued, err := i.fosite.NewAccessResponse(ctx, access)
	if err != nil {
		return nil, oauth.ErrorOf(err)
	}
	if e := i.proofs.Use(ctx, tx.proof); e != nil {
		return nil, e
	}
	if e := i.settle(ctx, tx, sess, c); e != nil {
		return nil, e
	}
	if i.options.Used != nil && (sess.authorization.UserID != "" || !c.Anonymous()) { // a stranger alone keeps nothing alive
		i.options.Used(ctx, c)
	}
	response := &tokens{AccessToken: issued.GetAccessToken(), TokenType: tokenType(sess.bound),
		ExpiresIn: int64(i.accessTTL(c) / time.Second)}
	if scope := strings.Join(access.GetGrantedScopes(), " "); scope != "" || sess.authorization.UserID != "" {
		response.Scope = &scope
	}
	response.RefreshToken, _ = issued.GetExtra("refresh_token").(string)
	response.Details = sess.details
	response.IDToken, _ = issued.GetExtra("id_token").(string)
	return response, nil
}

// tokenType returns the type of tokens that are bound to something, or of others.
func tokenType(bound *token.Confirmation) string { return token.Access{Confirmation: bound}.Type() }

// narrow limits scopes and resources to those of the request. fosite ignores both; a request
// for more than was granted is refused (RFC 6749 section 6, RFC 8707 section 2.2).
func narrow(access *fosite.AccessRequest, s *session, c *clients.Client, form url.Values, issuer string) *oauth.Error {
	scopes := oauth.Fields(form.Get("scope"))
	switch form.Get("grant_type") {
	case "client_credentials":
		for _, scope := range scopes {
			if scope != "openid" && scope != "offline_access" { // these require a user
				access.GrantScope(scope)
			}
		}
	case "refresh_token":
		if !oauth.Covers(access.GetGrantedScopes(), scopes) {
			return oauth.NewError("invalid_scope", "a scope was not granted")
		}
		if len(scopes) > 0 {
			access.GrantedScope = scopes
		}
	}
	granted := s.authorization.Audience
	registered := append([]string{issuer + oauth.UserinfoPath}, c.Audience...)
	if !oauth.Covers(registered, granted) {
		return oauth.NewError("invalid_target", "a resource is no longer registered for this client")
	}
	if len(granted) == 0 {
		granted = registered
	}
	resources, ok := oauth.Resources(granted, form["resource"])
	if len(form["resource"]) > oauth.MaxValues || !ok {
		return oauth.NewError("invalid_target", "a resource was not granted")
	}
	s.audience = resources
	return nil
}

// details returns the authorization details of an access token: those that were granted or, if the
// request names some, those of them (RFC 9396 section 6). A client that acts for itself names what it
// wants.
func (i *Issuer) details(s *session, c *clients.Client, form url.Values) (json.RawMessage, error) {
	asked := form.Get("authorization_details")
	if asked == "" {
		return s.authorization.Details, nil
	}
	wanted, err := i.options.Details.Parse(asked, c.DetailsTypes)
	if err != nil {
		return nil, oauth.NewError("invalid_authorization_details", err.Error()).About("authorization_details")
	}
	if s.grant != "" && !details.Stored(s.authorization.Details).Covers(wanted) {
		return nil, oauth.NewError("invalid_authorization_details", "an entry was not granted").About("authorization_details")
	}
	return wanted.JSON()
}
