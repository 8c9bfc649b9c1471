package provider

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"

	"sallyport/mfa"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// Params are the parameters of a request in the browser. Query and body are separate, because
// no parameter may be in both (RFC 6749 section 3.1).
type Params struct{ Query, Form url.Values }

// Answer is a response to the client through the browser: a redirect, or a form that the page
// submits.
type Answer struct {
	Location string
	FormPost *FormPost
	// Fields are the parameters of the response, for programs that do not follow redirects. They are
	// not signed: no browser passes them on.
	Fields [][2]string
}

// FormPost is a response in the mode form_post (OAuth 2.0 Form Post Response Mode).
type FormPost struct {
	Action string
	Fields [][2]string
}

// PageError is an error that must not be redirected, because the client or its redirect URI is
// invalid (RFC 6749 section 4.1.2.1). It is shown to the user in the browser.
type PageError struct {
	Code        string // an OAuth error code
	Description string
	Parameter   string // the invalid one; "" for none

	// For the log.
	Reason string // "": the code
	Client storage.ClientID
	Value  string // of the parameter
	// Registered are the values that the client may use; pages show them to developers only.
	Registered []string
}

func (e *PageError) Error() string {
	text := "provider: " + e.Code
	if e.Parameter != "" {
		text += ": " + e.Parameter
	}
	return text + ": " + e.Description
}

// Finished is a login that ended in a response to the client.
type Finished struct {
	Answer Answer
	// Session is the session to set in the browser; nil: keep the cookie as it is.
	Session      *storage.Session
	SessionToken string
	// Familiar: two factors were proven, so that the browser and its network are familiar.
	Familiar bool
	// DevicesEnded is that of the user when the factors were checked.
	DevicesEnded int64
	// Remembered is the cookie of remembered devices to set; "": keep it as it is.
	Remembered string
	User       storage.UserID
}

// answer adds parameters to the redirect URI of the client, together with state and iss (RFC
// 9207 section 2). A signed response is one parameter, which has them all, also if it is encrypted. The client of a polled
// request hears of it elsewhere.
func (p *Provider) answer(ctx context.Context, r *request, fields ...[2]string) (Answer, error) {
	if r.polled != "" {
		allowed, _ := r.ends()
		return Answer{Location: p.url(allowed)}, nil
	}
	if r.state != "" {
		fields = append(fields, [2]string{"state", r.state})
	}
	fields = append(fields, [2]string{"iss", p.options.Issuer})
	sent := fields
	if r.signed {
		signed, err := p.codec.WriteResponse(ctx, r.client, fields)
		if err != nil {
			return Answer{}, err
		}
		sent = [][2]string{{"response", signed}}
	}
	switch r.mode {
	case modeFormPost:
		return Answer{Fields: fields, FormPost: &FormPost{Action: r.redirect, Fields: sent}}, nil
	case modeFragment:
		return Answer{Fields: fields, Location: r.redirect + "#" + oauth.Encode(sent)}, nil
	}
	return Answer{Fields: fields, Location: oauth.AppendQuery(r.redirect, oauth.Encode(sent))}, nil
}

// refused logs a PageError.
func refused(ctx context.Context, err error) {
	if e, ok := errors.AsType[*PageError](err); ok {
		mfa.Refused(ctx, mfa.Refusal{Reason: cmp.Or(e.Reason, e.Code), Client: e.Client, Parameter: e.Parameter, Value: e.Value,
			Err: errors.New(e.Description)})
	}
}

// refuse logs an error and returns its response.
func (p *Provider) refuse(ctx context.Context, r *request, e *oauth.Error) (Answer, error) {
	r.refused(ctx, e)
	return p.refusal(ctx, r, e)
}

// refused logs an error in a response.
func (r *request) refused(ctx context.Context, e *oauth.Error) {
	e.Refused(ctx, r.client.ID, func(name string) string { return strings.Join(r.params[name], " ") })
}

// refusal returns the response of an error (RFC 6749 section 4.1.2.1).
func (p *Provider) refusal(ctx context.Context, r *request, e *oauth.Error) (Answer, error) {
	if r.polled != "" {
		_, denied := r.ends()
		return Answer{Location: p.url(denied)}, nil
	}
	fields := [][2]string{{"error", e.Code}}
	if d := oauth.Sanitize(e.Description); d != "" {
		fields = append(fields, [2]string{"error_description", d})
	}
	return p.answer(ctx, r, fields...)
}
