package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// BackchannelPath is the backchannel authentication endpoint (OpenID Connect Client-Initiated
// Backchannel Authentication, CIBA, section 7).
const BackchannelPath = "/bc-authorize"

const (
	// backchannelLife is how long a request waits for its user. A client may ask for less. It is no longer
	// than the window of the counters (throttle.Backchannel), which so bound how many wait: five for one hint
	// in a window, and up to nine across its end.
	backchannelLife, backchannelLeast = 10 * time.Minute, 30 * time.Second
	// maxBinding is the length of a binding_message in characters: people compare it on a small screen.
	maxBinding = 100
	// maxNotification is the length of a client_notification_token (CIBA section 7.1).
	maxNotification = 1024
)

// backchannelParams are the parameters of a request besides those of client authentication.
var backchannelParams = append([]string{"login_hint", "id_token_hint", "login_hint_token", "binding_message", "user_code", "requested_expiry", "client_notification_token"}, polledParams...)

// backchannelResponse is the response of the endpoint (CIBA section 7.3).
type backchannelResponse struct {
	ID        string `json:"auth_req_id"`
	ExpiresIn int64  `json:"expires_in"`
	Interval  int64  `json:"interval"`
}

// BackchannelAuthentication is the backchannel authentication endpoint (CIBA section 7). The client
// authenticates as at the token endpoint, and names the user.
func (p *Provider) BackchannelAuthentication(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	out, e := p.backchannelAuthentication(r, v)
	if e != nil {
		p.respond.Error(w, r, e)
		return
	}
	oauth.WriteJSON(w, http.StatusOK, out)
}

func (p *Provider) backchannelAuthentication(r *http.Request, v mfa.Caller) (backchannelResponse, *oauth.Error) {
	form, e := oauth.ReadForm(r)
	if e != nil {
		return backchannelResponse{}, e
	}
	c, err := p.ClientAuth.Authenticate(r, form, v)
	if err != nil {
		return backchannelResponse{}, oauth.ErrorOf(err)
	}
	if !c.MayUse(clients.CIBA) || c.Anonymous() {
		return backchannelResponse{}, oauth.NewError("unauthorized_client", "the client is not registered for "+clients.CIBA)
	}
	ctx := r.Context()
	values, e := p.backchannelValues(ctx, c, form)
	if e != nil {
		return backchannelResponse{}, e
	}
	asked, e := readBackchannel(c, values)
	if e != nil {
		return backchannelResponse{}, e
	}
	values = external(values)
	values.Set(askedParam, "1")
	read, e := p.readPolled(ctx, c, values, storedTime(p.now()))
	if e == nil {
		e = p.checkHint(ctx, read, values) // of an id_token_hint
	}
	if e == nil && !slices.Contains(read.scopes, "openid") {
		e = oauth.NewError("invalid_scope", "scope openid is missing").About("scope") // CIBA section 7.1
	}
	if e != nil {
		return backchannelResponse{}, e
	}
	made := p.newPolled(clients.CIBA, read, v, asked.life)
	made.Details.Message, made.Details.Counted = asked.message, "user|"+string(read.hint)
	if asked.name != "" {
		name, _ := canonical(asked.name)
		made.Details.Counted = "name|" + name
	}
	if c.BackchannelMode == clients.Ping {
		made.Details.Ping = &storage.Ping{Code: made.Code, Token: asked.notification}
	}
	if made.UserID, err = p.hinted(ctx, read.hint, asked.name); err != nil {
		return backchannelResponse{}, oauth.Unavailable(err)
	}
	return p.createBackchannel(ctx, c, made, v)
}

// createBackchannel stores a request, and a job that tells its user of it (see Send). A request for a user
// who does not exist is stored and counted as any other, with its job: it waits for nobody.
func (p *Provider) createBackchannel(ctx context.Context, c *clients.Client, made storage.PolledRequest, v mfa.Caller) (backchannelResponse, *oauth.Error) {
	event := storage.Event{Kind: mfa.EventBackchannelRequested, Outcome: mfa.OutcomeOK, UserID: made.UserID, ClientID: c.ID}
	if made.UserID == "" {
		event.Outcome, event.Detail = mfa.OutcomeRefused, map[string]string{"reason": "unknown_user"}
	} else {
		made.Details.Params.Set(hintSubject, string(made.UserID))
	}
	n := storage.NewPolled{Request: made, Events: []storage.Event{p.journal.Event(v, event)},
		Sends: []storage.Throttle{p.backchannelCounter(throttle.Backchannel, c.ID, made.Details.Counted), p.backchannelCounter(throttle.BackchannelClient, c.ID, "")},
		Messages: []storage.Message{{ID: storage.MessageID(storage.TimeOrdered(made.CreatedAt, p.random)), Kind: WaitingKind, Data: map[string]string{waitingRequest: string(made.ID)},
			CreatedAt: made.CreatedAt, NextAt: made.CreatedAt, ExpiresAt: made.ExpiresAt}}}
	if made.UserID == "" && c.BackchannelUnknownUser {
		n.Request.ExpiresAt, n.Messages = made.CreatedAt, nil // counted, and over
	}
	err := p.store.CreatePolled(ctx, n)
	if refused, ok := errors.AsType[*storage.RefusedError](err); ok {
		return backchannelResponse{}, oauth.TooMany(&mfa.Error{Code: mfa.TooManyRequests, RetryAfter: refused.Until.Sub(made.CreatedAt), Err: err})
	}
	if err != nil {
		return backchannelResponse{}, oauth.Unavailable(err)
	}
	if made.UserID == "" && c.BackchannelUnknownUser {
		return backchannelResponse{}, oauth.NewError("unknown_user_id", "the hint names nobody who can sign in")
	}
	return backchannelResponse{made.Code, int64(made.ExpiresAt.Sub(made.CreatedAt) / time.Second), int64(pollInterval / time.Second)}, nil
}

// backchannelCounter counts the requests of a client for a name or user.
func (p *Provider) backchannelCounter(bucket string, c storage.ClientID, of string) storage.Throttle {
	return storage.Throttle{Key: storage.ThrottleKey{Bucket: bucket, Subject: p.keyring.Hash(bucket, string(c)+"\x00"+of)}, Schedule: throttle.Schedule(bucket)}
}

// backchannelValues returns the parameters of a request: those of its request object, and then no others,
// or of its form (CIBA sections 7.1 and 7.1.1).
func (p *Provider) backchannelValues(ctx context.Context, c *clients.Client, form url.Values) (url.Values, *oauth.Error) {
	switch {
	case form.Has("request_uri"):
		e := oauth.NewError("invalid_request", "request_uri is not supported here").About("request_uri")
		e.Value = hidden
		return nil, e
	case !form.Has("request") && c.SignsBackchannel():
		return nil, oauth.NewError("invalid_request", "the client has to send a signed request (CIBA section 7.1.1)").About("request")
	case !form.Has("request"):
		return form, nil
	case c.BackchannelRequestAlg == "":
		e := oauth.NewError("invalid_request", "the client has registered no backchannel_authentication_request_signing_alg").About("request")
		e.Value = hidden
		return nil, e
	}
	for _, name := range backchannelParams {
		if form.Has(name) {
			return nil, oauth.NewError("invalid_request", name+" is beside the signed request, not in it").About(name)
		}
	}
	return p.object(ctx, c, form.Get("request"), objectRules{alg: c.BackchannelRequestAlg, complete: true})
}

// backchannelRequest is what is new in a request, beside what other requests have.
type backchannelRequest struct {
	name         string // login_hint
	message      string
	notification string
	life         time.Duration
}

// readBackchannel checks the parameters that other requests have not (CIBA section 7.1).
func readBackchannel(c *clients.Client, values url.Values) (backchannelRequest, *oauth.Error) {
	out := backchannelRequest{name: values.Get("login_hint"), message: values.Get("binding_message"), life: backchannelLife}
	refuse := func(name, text string) (backchannelRequest, *oauth.Error) {
		return out, hide(oauth.NewError("invalid_request", text).About(name)) // they name people
	}
	switch {
	case values.Get("login_hint_token") != "":
		return refuse("login_hint_token", "login_hint_token is not supported; send login_hint or id_token_hint")
	case (out.name == "") == (values.Get("id_token_hint") == ""):
		return refuse("login_hint", "exactly one of login_hint and id_token_hint is required")
	case values.Get("user_code") != "":
		return refuse("user_code", "user_code is not supported")
	case utf8.RuneCountInString(out.message) > maxBinding || !input.Shown(out.message) || input.Unseen(out.message) || out.message != strings.TrimSpace(out.message):
		return out, hide(oauth.NewError("invalid_binding_message", "binding_message must be at most 100 characters that can be shown, without spaces around them").About("binding_message"))
	}
	if text := values.Get("requested_expiry"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil || seconds == 0 {
			return refuse("requested_expiry", "requested_expiry is not a positive number of seconds")
		}
		out.life = min(max(time.Duration(seconds)*time.Second, backchannelLeast), backchannelLife)
	}
	if c.BackchannelMode == clients.Ping {
		out.notification = values.Get("client_notification_token")
		if !isBearer(out.notification) {
			return refuse("client_notification_token", "client_notification_token is required: a bearer token of at most 1024 characters (RFC 6750 section 2.1)")
		}
	}
	return out, nil
}

// isBearer reports whether a text has the syntax of a bearer token (RFC 6750 section 2.1).
func isBearer(text string) bool {
	body := strings.TrimRight(text, "=")
	return body != "" && len(text) <= maxNotification && !strings.ContainsFunc(body, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/", r)
	})
}

// hide keeps the value of a parameter out of the log.
func hide(e *oauth.Error) *oauth.Error {
	e.Value = hidden
	return e
}

// hinted returns the user of a hint, or of a name; "": nobody who can sign in.
func (p *Provider) hinted(ctx context.Context, hint storage.UserID, name string) (storage.UserID, error) {
	var found storage.Account
	var err error
	if name == "" {
		found, err = p.store.Account(ctx, hint)
	} else if value, known := canonical(name); known {
		found, err = p.store.AccountByIdentifier(ctx, value, p.now())
	} else {
		return "", nil
	}
	switch {
	case isNotFound(err):
		return "", nil
	case err != nil:
		return "", err
	case !found.User.In() || hint != "" && hint != found.User.ID:
		return "", nil
	}
	return found.User.ID, nil
}
