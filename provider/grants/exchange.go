package grants

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/provider/claims"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/signing"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Types of tokens (RFC 8693 section 3).
const (
	typePrefix  = "urn:ietf:params:oauth:token-type:"
	typeAccess  = typePrefix + "access_token"
	typeIDToken = typePrefix + "id_token"
)

// maxSources is how often a token may be exchanged in turn: it names all it comes from.
const maxSources = 4

// exchange is the grant type of token exchange (RFC 8693): the client presents a token of a user and
// gets another one for an audience of its policy. That has no more scopes and no longer life, and ends
// with the grant of the presented one. There is no refresh token: who still has the token exchanges it
// again.
func (i *Issuer) exchange(ctx context.Context, tx *transaction, r *http.Request, form url.Values) (*tokens, *oauth.Error) {
	authenticated, err := i.authenticate(ctx, r, form)
	if err != nil {
		return nil, oauth.ErrorOf(err)
	}
	c, ok := authenticated.(*clients.Client)
	if !ok {
		return nil, oauth.ErrorOf(errSession)
	}
	if !c.MayUse(clients.TokenExchange) {
		return nil, oauth.Standard("unauthorized_client")
	}
	if e := checkExchange(form); e != nil {
		return nil, e
	}
	s, e := i.subject(ctx, tx, c, form)
	if e != nil {
		return nil, e
	}
	actor, e := i.actor(ctx, tx, c, form)
	if e != nil {
		return nil, e
	}
	if may := s.token.MayAct; may != nil && may.Subject != actor.Subject && may.Subject != string(c.ID) {
		return nil, badToken("subject_token", oauth.OtherClient)
	}
	t := s.token
	if t.Audience, e = exchangeAudience(c, form); e != nil {
		return nil, e
	}
	if t.Scopes, e = exchangeScopes(c, s.token, form); e != nil {
		return nil, e
	}
	now := tx.now.Unix()
	t.Client, t.Issued, t.Expires, t.ID = c.ID, now, min(s.token.Expires, now+int64(i.accessTTL(c)/time.Second)), storage.Random128(i.random)
	if t.Roles != nil { // otherwise the user left them out, which holds for whoever comes after
		t.Roles = claims.Roles(c, &s.account, t.Scopes)
	}
	t.Scope, t.Confirmation = strings.Join(t.Scopes, " "), token.BoundTo(tx.proof.Thumbprint(), tx.certificateOf(c))
	t.Details = nil // of the audience of the subject token
	t.Grant, t.SubjectGrant, t.Sources, t.MayAct = "", cmp.Or(s.token.Grant, s.token.SubjectGrant), append(slices.Clone(s.token.Sources), s.source), nil
	if form.Has("actor_token") || !c.ExchangeImpersonation {
		actor.Actor = s.token.Actor
		t.Actor = &actor
	}
	written, err := i.codec.WriteAccess(t, c)
	if err != nil {
		return nil, oauth.ErrorOf(err)
	}
	if e := i.proofs.Use(ctx, tx.proof); e != nil {
		return nil, e
	}
	i.noteExchange(tx, s.source.Client, t)
	if i.options.Used != nil && (t.User != "" || !c.Anonymous()) {
		i.options.Used(ctx, c)
	}
	return &tokens{AccessToken: written, IssuedType: typeAccess, TokenType: t.Type(), ExpiresIn: t.Expires - now, Scope: &t.Scope}, nil
}

func (i *Issuer) noteExchange(tx *transaction, from storage.ClientID, t token.Access) {
	detail := map[string]string{"subject_client": string(from), "audience": strings.Join(t.Audience, " ")}
	if t.Actor != nil {
		detail["actor"] = t.Actor.Subject
	}
	i.journal.Note(i.journal.Event(tx.caller, storage.Event{Kind: mfa.EventTokenExchange, Outcome: mfa.OutcomeOK, UserID: t.User,
		ClientID: t.Client, SessionID: t.UserSession, GrantID: t.SubjectGrant, Detail: detail}))
}

// checkExchange checks the parameters of RFC 8693 section 2.1 that name types.
func checkExchange(form url.Values) *oauth.Error {
	switch typ, actor := form.Get("subject_token_type"), form.Get("actor_token_type"); {
	case form.Get("subject_token") == "":
		return oauth.NewError("invalid_request", "subject_token is missing").Because(oauth.NoToken).About("subject_token")
	case typ != typeAccess && typ != typeIDToken:
		return oauth.NewError("invalid_request", "subject_token_type must be "+typeAccess+" or "+typeIDToken).About("subject_token_type")
	case form.Has("actor_token") != form.Has("actor_token_type"):
		return oauth.NewError("invalid_request", "actor_token and actor_token_type belong together").About("actor_token_type")
	case actor != "" && actor != typeAccess:
		return oauth.NewError("invalid_request", "actor_token_type must be "+typeAccess).About("actor_token_type")
	}
	if form.Has("authorization_details") {
		return oauth.NewError("invalid_authorization_details", "tokens are exchanged without authorization details").About("authorization_details")
	}
	if wanted := form.Get("requested_token_type"); wanted != "" && wanted != typeAccess {
		return oauth.NewError("invalid_request", "requested_token_type must be "+typeAccess).About("requested_token_type")
	}
	return nil
}

// subject is a presented token whose user another token is issued for.
type subject struct {
	token   token.Access
	account storage.Account
	source  token.Source
}

// badToken refuses a subject or actor token, as RFC 8693 section 2.2.2 wants. The response does not say
// what is wrong: the client may have no business with the token.
func badToken(parameter, reason string) *oauth.Error {
	return oauth.NewError("invalid_request", parameter+" is no active token that this client may exchange").Because(reason).About(parameter)
}

// subject reads the subject token of a user, as the policy of the client allows it.
func (i *Issuer) subject(ctx context.Context, tx *transaction, c *clients.Client, form url.Values) (subject, *oauth.Error) {
	typ := strings.TrimPrefix(form.Get("subject_token_type"), typePrefix)
	if !c.MayExchange(typ) {
		return subject{}, oauth.NewError("unauthorized_client", "the client may not exchange tokens of this type").About("subject_token_type")
	}
	var t token.Access
	var e *oauth.Error
	if typ == "id_token" {
		t, e = i.idSubject(ctx, tx.now, form.Get("subject_token"))
	} else {
		t, e = i.presented(ctx, tx, "subject_token", form)
	}
	if e != nil {
		return subject{}, e
	}
	grant := cmp.Or(t.Grant, t.SubjectGrant)
	forClient := typ == "id_token" || t.Client == c.ID || slices.Contains(t.Audience, string(c.ID)) ||
		slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(c.ExchangeSubjectAudiences, a) })
	switch {
	case grant == "":
		return subject{}, badToken("subject_token", oauth.UnknownToken) // of a client alone
	case !slices.Contains(c.ExchangeSubjectClients, string(t.Client)):
		return subject{}, badToken("subject_token", oauth.OtherClient)
	case !forClient:
		return subject{}, badToken("subject_token", oauth.OtherAudience)
	case len(t.Sources) >= maxSources:
		return subject{}, oauth.NewError("invalid_request", "the subject token was exchanged too often in turn").About("subject_token")
	}
	stored, err := i.store.Grant(ctx, grant)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return subject{}, oauth.Unavailable(err)
	}
	if err != nil || !stored.Alive() {
		return subject{}, badToken("subject_token", oauth.RevokedToken)
	}
	// The new token names the user as its own client sees them.
	t.User, t.UserSession = stored.Grant.Authorization.UserID, stored.Grant.Authorization.SessionID
	out := subject{token: t, account: stored.Account, source: token.Source{Client: t.Client}}
	if t.Grant == "" {
		out.source.ID = t.ID
	}
	return out, nil
}

// presented reads an active access token. One that is bound to a key or certificate must come with it:
// nobody gets rid of a binding by an exchange.
func (i *Issuer) presented(ctx context.Context, tx *transaction, parameter string, form url.Values) (token.Access, *oauth.Error) {
	t, err := i.codec.ReadAccess(form.Get(parameter))
	if err != nil {
		return t, badToken(parameter, oauth.UnknownToken)
	}
	if bound := t.Confirmation; bound != nil {
		if about, reason := tx.unbound(parameter, bound.JKT, bound.Certificate); reason != "" {
			return t, badToken(parameter, reason).About(about)
		}
	}
	_, active, err := i.inspect.Active(ctx, t)
	if err != nil {
		return t, oauth.Unavailable(err)
	}
	if !active {
		return t, badToken(parameter, oauth.RevokedToken)
	}
	return t, nil
}

// idSubject reads an ID token as the access token that was issued with it. It is worth nothing without the
// living grant of that, and nothing where such tokens are bound: it has no binding itself.
func (i *Issuer) idSubject(ctx context.Context, now time.Time, presented string) (token.Access, *oauth.Error) {
	id, err := i.codec.ReadID(presented)
	if err != nil || id.Session == "" || id.Grant == "" || len(id.Audience) != 1 {
		return token.Access{}, badToken("subject_token", oauth.UnknownToken)
	}
	if now.Unix() >= id.Expires {
		return token.Access{}, badToken("subject_token", oauth.ExpiredToken)
	}
	owner := storage.ClientID(id.Audience[0])
	c, err := i.clients.Enabled(ctx, owner)
	if err != nil {
		return token.Access{}, oauth.Unavailable(err)
	}
	if c == nil {
		return token.Access{}, badToken("subject_token", oauth.DisabledClient)
	}
	if c.SenderConstrained() || c.Profile == clients.FAPI2 {
		return token.Access{}, badToken("subject_token", oauth.WrongKey)
	}
	session := i.codec.SessionOf(c, id.Session)
	all, err := i.store.GrantsOf(ctx, i.codec.UserOf(c, id.Subject), now)
	if err != nil {
		return token.Access{}, oauth.Unavailable(err)
	}
	for _, g := range all {
		a := g.Authorization
		if g.ID != id.Grant || a.ClientID != owner || a.SessionID != session {
			continue
		}
		t := token.Access{Issuer: id.Issuer, Client: owner, Audience: id.Audience, Expires: id.Expires, Scopes: a.Scopes, Grant: g.ID,
			ACR: id.ACR, AMR: id.AMR, AuthTime: id.AuthTime}
		// Which ones they are is read later; this says whether that token has any.
		t.Roles = claims.Roles(c, &storage.Account{User: storage.User{ID: a.UserID}}, a.Scopes)
		if c.MayAct != "" {
			t.MayAct = &token.Actor{Subject: string(c.MayAct)}
		}
		return t, nil
	}
	return token.Access{}, badToken("subject_token", oauth.RevokedToken)
}

// actor returns who acts: the client, or whoever its actor token is of. A client presents no actor tokens
// of other clients: those were not given to it to act with.
func (i *Issuer) actor(ctx context.Context, tx *transaction, c *clients.Client, form url.Values) (token.Actor, *oauth.Error) {
	if !form.Has("actor_token") {
		return token.Actor{Subject: string(c.ID)}, nil
	}
	t, e := i.presented(ctx, tx, "actor_token", form)
	switch {
	case e != nil:
		return token.Actor{}, e
	case t.Client != c.ID || len(t.Sources) > 0:
		return token.Actor{}, badToken("actor_token", oauth.OtherClient)
	case t.Grant == "":
		return token.Actor{Subject: string(c.ID)}, nil
	}
	return token.Actor{Subject: t.Subject, Client: c.ID}, nil
}

// exchangeAudience returns the audience of an exchanged token: what audience and resource name, or the
// only one of the policy.
func exchangeAudience(c *clients.Client, form url.Values) (signing.Audience, *oauth.Error) {
	var wanted signing.Audience
	for _, v := range slices.Concat(form["audience"], form["resource"]) {
		if v != "" && !slices.Contains(wanted, v) {
			wanted = append(wanted, v)
		}
	}
	switch {
	case len(wanted) == 0 && len(c.ExchangeAudiences) == 1:
		return slices.Clone(c.ExchangeAudiences), nil
	case len(wanted) == 0:
		return nil, oauth.NewError("invalid_target", "audience or resource is required").About("audience")
	case len(wanted) > oauth.MaxValues || !oauth.Covers(c.ExchangeAudiences, wanted):
		return nil, oauth.NewError("invalid_target", "the client may not get tokens for an audience").About("audience")
	}
	return wanted, nil
}

// exchangeScopes returns the scopes of an exchanged token: those of the request or else of the policy,
// as far as the subject token has them.
func exchangeScopes(c *clients.Client, subject token.Access, form url.Values) ([]string, *oauth.Error) {
	wanted := oauth.Fields(form.Get("scope"))
	if !oauth.Covers(c.ExchangeScopes, wanted) || !oauth.Covers(subject.Scopes, wanted) {
		return nil, oauth.NewError("invalid_scope", "the client may not get a scope, or the subject token does not have it")
	}
	if len(wanted) > 0 {
		return wanted, nil
	}
	var all []string
	for _, s := range c.ExchangeScopes {
		if slices.Contains(subject.Scopes, s) {
			all = append(all, s)
		}
	}
	return all, nil
}
