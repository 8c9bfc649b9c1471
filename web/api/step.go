package api

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/jsonbody"
	"sallyport/web/signin"
)

// stepBody is every successful response: the step the login is at, and what a page for it
// shows. It holds no subject: only tokens say who the user is (B-6).
type stepBody struct {
	Step    string            `json:"step"`
	Request storage.RequestID `json:"request_id"` // as the caller named it
	// Token makes its holder the owner of the login. The caller who proved the first
	// factor receives it and sends it with every call from then on.
	Token     storage.TrackID `json:"login_token,omitempty"`
	ExpiresAt time.Time       `json:"expires_at"`
	Client    clientBody      `json:"client"`
	// State is the client's own, for the owner alone: it shows a page that its application
	// began this login in this browser, and not an attacker who passed on a link to theirs.
	State     string       `json:"state,omitempty"`
	Account   string       `json:"account,omitempty"`
	LoginHint string       `json:"login_hint,omitempty"`
	UILocales []string     `json:"ui_locales,omitempty"`
	Options   []optionBody `json:"options,omitempty"`
	Methods   []string     `json:"methods,omitempty"`
	// Demand is there if an enrolment needs an enrollment code.
	Demand *demandBody `json:"enrollment_demand,omitempty"`
	// SignUp is there at identify if people can sign up here.
	SignUp *signUpBody `json:"signup,omitempty"`
	Scopes []string    `json:"scopes,omitempty"`
	// Consent is there at consent.
	Consent *consentBody `json:"consent,omitempty"`
	// Remember is for how many seconds the user may have this browser remembered.
	Remember int           `json:"remember_for,omitempty"`
	Codes    []string      `json:"recovery_codes,omitempty"`
	Exchange *exchangeBody `json:"exchange,omitempty"`
	// Delivery is the state of the code that this login waits for, in the responses to the
	// calls that send one or ask for it.
	Delivery   exchange.Delivery `json:"delivery,omitempty"`
	Enrollment *enrollmentBody   `json:"enrollment,omitempty"`
	// The result, in the one response that ends the login.
	Error       string `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
	RedirectTo  string `json:"redirect_to,omitempty"`
	Code        string `json:"code,omitempty"`
	Issuer      string `json:"iss,omitempty"`
}

type clientBody struct {
	ID     storage.ClientID `json:"client_id"`
	Name   string           `json:"client_name,omitempty"`
	Home   string           `json:"client_uri,omitempty"`
	Logo   string           `json:"logo_uri,omitempty"`
	Policy string           `json:"policy_uri,omitempty"`
	Terms  string           `json:"tos_uri,omitempty"`
	// Support is where users get help whom no page can help; the server's if the client has none.
	Support string `json:"support_url,omitempty"`
}

type optionBody struct {
	Method        string                  `json:"method"`
	Authenticator storage.AuthenticatorID `json:"authenticator_id,omitempty"`
	Usage         string                  `json:"usage"`
	Text          string                  `json:"text"`
	Typed         bool                    `json:"typed"`
	Numeric       bool                    `json:"numeric"`
	Sends         bool                    `json:"sends"`
	Address       string                  `json:"address,omitempty"` // masked
}

// consentBody is what a page that asks for consent shows.
type consentBody struct {
	Required []string `json:"required,omitempty"` // of the scopes: cannot be left out
	LeftOut  []string `json:"left_out,omitempty"` // of the scopes: the user left them out before
	Kept     []string `json:"kept,omitempty"`     // allowed before, and not in question
	// Details are the authorization details of the request.
	Details json.RawMessage `json:"authorization_details,omitempty"`
	// Host that the result is sent to, in ASCII form; "": a program on the user's device.
	Host string `json:"host,omitempty"`
	// Resources are where the client will use the access.
	Resources []string `json:"resources,omitempty"`
	// Described: nobody registered the client, whose client_id is the address of what describes it.
	Described bool `json:"described,omitempty"`
	// Unvetted: nobody here has looked at the client, described or registered by itself.
	Unvetted bool `json:"unvetted,omitempty"`
	Lasting  bool `json:"lasting"` // the access outlives the session
}

func consentOf(st provider.Step) *consentBody {
	b := &consentBody{Kept: st.Kept(), Host: st.Destination.Host, Resources: st.Resources, Described: st.Described, Unvetted: st.Unvetted, Lasting: st.Lasting()}
	if text := st.Request.Params.Get("authorization_details"); text != "" {
		b.Details = json.RawMessage(text)
	}
	for _, a := range st.Asked() {
		if a.Required {
			b.Required = append(b.Required, a.Scope)
		}
		if a.LeftOut {
			b.LeftOut = append(b.LeftOut, a.Scope)
		}
	}
	return b
}

type demandBody struct {
	Addresses []string `json:"addresses"` // masked, that a code can be mailed to
}

type exchangeBody struct {
	Exchange  storage.ExchangeID `json:"exchange_id"`
	Method    string             `json:"method"`
	Usage     string             `json:"usage"`
	ExpiresAt time.Time          `json:"expires_at"`
	Sub       string             `json:"sub"` // masked, of this login only
	Text      string             `json:"text"`
	Challenge json.RawMessage    `json:"challenge,omitempty"`
	Pause     int                `json:"resend_after,omitempty"` // seconds until another code can be sent
}

type enrollmentBody struct {
	Exchange  storage.ExchangeID `json:"exchange_id"`
	Method    string             `json:"method"`
	ExpiresAt time.Time          `json:"expires_at"`
	Text      string             `json:"text"`
	Secret    string             `json:"secret,omitempty"`
	URI       string             `json:"uri,omitempty"`
	QR        string             `json:"qr,omitempty"` // an image as data: URL
	Address   string             `json:"address,omitempty"`
	Pause     int                `json:"resend_after,omitempty"`
	Options   json.RawMessage    `json:"options,omitempty"` // of navigator.credentials.create
}

// loginCall is one call in a login.
type loginCall struct {
	signin.Call
	named storage.RequestID // as the caller names the login
}

// next reads the step of a login.
func (s *Surface) next(c *gin.Context, call loginCall, a provider.Ask) (loginCall, error) {
	var err error
	call.Call, err = s.logins.Next(c, call.Call, a)
	if err == nil && !call.Step.InBrowser {
		// The end of this login sets no cookie, so it must not renew a session whose
		// cookie the browser would then hold out of date.
		call.SignedIn = nil
	}
	if err == nil {
		c.Set(supportKey, s.supportOf(call.Step))
	}
	return call, err
}

// supportKey is where a call keeps the support of its application, for a refusal.
const supportKey = "support_url"

// supportOf returns where users of an application get help; "": nowhere.
func (s *Surface) supportOf(st provider.Step) string { return cmp.Or(st.Client.SupportURL, s.support) }

// login reads the login that a body names.
func (s *Surface) login(c *gin.Context, in *jsonbody.Object, a provider.Ask) (loginCall, error) {
	a.Request, a.Track = storage.RequestID(in.Required("request_id")), storage.TrackID(in.Text("login_token"))
	call := loginCall{Call: signin.Call{Caller: web.Caller(c)}, named: a.Request}
	if len(in.Faults) > 0 {
		return call, in.Faults
	}
	var err error
	if call.SignedIn, err = signin.Session(c, s.sessions); err != nil {
		return call, err
	}
	return s.next(c, call, a)
}

// at reads the login that a body names. It refuses the call unless the login is at the
// given step or, with none given, has not ended.
func (s *Surface) at(c *gin.Context, in *jsonbody.Object, kind provider.StepKind, a provider.Ask) (loginCall, bool) {
	call, err := s.login(c, in, a)
	switch {
	case err != nil:
	case call.Step.Kind == kind:
	case call.Step.Kind == provider.StepOver:
		err = &mfa.Error{Code: mfa.RequestOver}
	case kind != "":
		err = &mfa.Error{Code: mfa.RequestChanged, Err: fmt.Errorf("the login is at step %q", call.Step.Kind)}
	}
	if err != nil {
		s.fail(c, err, "")
	}
	return call, err == nil
}

// showNext responds with the next step of a login.
func (s *Surface) showNext(c *gin.Context, call loginCall, a provider.Ask) {
	call, err := s.next(c, call, a)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, nil)
}

// onward responds with the step after a change.
func (s *Surface) onward(c *gin.Context, call loginCall) { s.showNext(c, call, call.Step.Again()) }

// show writes a step; more adds what only this call returns.
func (s *Surface) show(c *gin.Context, call loginCall, more func(b *stepBody)) {
	b := s.bodyOf(call)
	if a := call.Step.Again(); call.Step.Owned && !call.Step.InBrowser {
		b.Token = a.Track
	}
	if call.Step.Kind == provider.StepRecovery {
		codes, err := s.verifier.RecoveryCodes(c.Request.Context(), call.Step.Request.Subject)
		if err != nil {
			s.fail(c, err, "")
			return
		}
		b.Codes = codes
	}
	if d := s.verifier.EnrollmentDemand(call.Step.Account); d != nil && call.Step.Kind == provider.StepEnroll {
		b.Demand = &demandBody{Addresses: append([]string{}, d.Addresses...)}
	}
	if more != nil {
		more(&b)
	}
	c.PureJSON(http.StatusOK, b)
}

func (s *Surface) bodyOf(call loginCall) stepBody {
	st := call.Step
	b := stepBody{Step: string(st.Kind), Request: call.named, ExpiresAt: st.Request.ExpiresAt, UILocales: st.UILocales,
		State: st.Request.Params.Get("state"), Error: st.Refusal,
		Client: clientBody{ID: st.Client.ID, Name: st.Client.Name, Home: st.ClientHome, Logo: st.Client.LogoURI,
			Policy: st.Client.PolicyURI, Terms: st.Client.TosURI, Support: s.supportOf(st)}}
	if st.Request.Subject == "" {
		b.LoginHint = st.LoginHint
	} else {
		b.Account = st.LoginHint
	}
	if s.signsUp(st) {
		b.SignUp = &signUpBody{Requested: st.Creates()}
	}
	switch st.Kind {
	case provider.StepIdentify, provider.StepVerify:
		b.Options = s.optionsOf(st)
		if st.MayRemember() {
			b.Remember = int(st.Client.MFARemember)
		}
	case provider.StepEnroll:
		b.Methods = st.Verdict.Methods
	case provider.StepConsent:
		b.Scopes, b.Consent = st.Scopes, consentOf(st)
	}
	return b
}

// optionsOf lists the factors of a step; before a user is identified, those required later
// and those that can replace the password.
func (s *Surface) optionsOf(st provider.Step) []optionBody {
	var out []optionBody
	if st.Kind == provider.StepIdentify {
		for _, method := range st.Verdict.Methods {
			i, _ := s.verifier.Info(method)
			out = append(out, optionBody{Method: method, Usage: mfa.UsageFirst, Text: method, Typed: i.Typed})
		}
	}
	for _, o := range st.Options {
		out = append(out, optionBody{Method: o.Method, Authenticator: o.Authenticator, Usage: usageOf(st), Text: o.Text,
			Typed: o.Info.Typed, Numeric: o.Info.Numeric, Sends: o.Info.Sends, Address: o.Address})
	}
	return out
}

// usageOf is the usage of a second factor at a step. Before the first factor it depends on
// client and request alone: it must reveal nothing of the user.
func usageOf(st provider.Step) string {
	alone := st.Verdict.Needed == mfa.AAL1 || st.Verdict.Needed == mfa.None
	if st.Kind == provider.StepIdentify && st.Client.Passwordless && alone {
		return mfa.UsagePasswordless
	}
	return mfa.UsageSecond
}

// ended writes the end of a login: the redirect to the client, and its parameters for
// callers that follow no redirect.
func (s *Surface) ended(c *gin.Context, call loginCall, kind provider.StepKind, a provider.Answer) {
	call.Step.Kind = kind
	s.show(c, call, func(b *stepBody) {
		b.Options, b.Methods, b.Scopes, b.Consent, b.Codes, b.Remember, b.SignUp = nil, nil, nil, nil, nil, 0, nil
		b.RedirectTo = a.Location
		if a.FormPost != nil {
			b.RedirectTo = a.FormPost.Action
		}
		for _, f := range a.Fields {
			switch f[0] {
			case "code":
				b.Code = f[1]
			case "iss":
				b.Issuer = f[1]
			case "error":
				b.Error = f[1]
			case "error_description":
				b.Description = f[1]
			}
		}
	})
}

// seconds rounds a wait up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func enrollmentOf(e exchange.Enrolling) *enrollmentBody {
	b := &enrollmentBody{Exchange: e.Exchange, Method: e.Method, ExpiresAt: e.ExpiresAt, Text: e.Text, Secret: e.Handout.Secret, URI: e.Handout.URI,
		Address: e.Address, Pause: seconds(e.Pause), Options: e.Handout.Options}
	if len(e.Handout.QR) > 0 {
		b.QR = "data:image/png;base64," + base64.StdEncoding.EncodeToString(e.Handout.QR)
	}
	return b
}
