package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
)

// stepBody is every good answer: where the login stands, and what its page shows.
// There is no subject in it: who the user is, is told by tokens alone (B-6).
type stepBody struct {
	Step    string            `json:"step"`
	Request storage.RequestID `json:"request_id"` // as the caller named it
	// Token makes the caller the owner of the login. It is told to whoever gave its first
	// factor, and is shown with every call from then on.
	Token     storage.TrackID `json:"login_token,omitempty"`
	ExpiresAt time.Time       `json:"expires_at"`
	Client    clientBody      `json:"client"`
	// State is the client's own, told to the owner: by it a page knows that its own
	// application began this login in this browser, and not somebody who sends their login
	// around as a link.
	State      string          `json:"state,omitempty"`
	Account    string          `json:"account,omitempty"`
	LoginHint  string          `json:"login_hint,omitempty"`
	UILocales  []string        `json:"ui_locales,omitempty"`
	Options    []optionBody    `json:"options,omitempty"`
	Methods    []string        `json:"methods,omitempty"`
	Scopes     []string        `json:"scopes,omitempty"`
	Codes      []string        `json:"recovery_codes,omitempty"`
	Exchange   *exchangeBody   `json:"exchange,omitempty"`
	Enrollment *enrollmentBody `json:"enrollment,omitempty"`
	// The end, in the one answer that brought it.
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
}

type optionBody struct {
	Method        string                  `json:"method"`
	Authenticator storage.AuthenticatorID `json:"authenticator_id,omitempty"`
	Usage         string                  `json:"usage"`
	Text          string                  `json:"text"`
	Typed         bool                    `json:"typed"`
	Numeric       bool                    `json:"numeric"`
	Sends         bool                    `json:"sends"`
}

type exchangeBody struct {
	Exchange  storage.ExchangeID `json:"exchange_id"`
	Method    string             `json:"method"`
	Usage     string             `json:"usage"`
	ExpiresAt time.Time          `json:"expires_at"`
	Sub       string             `json:"sub"` // masked, of this login only
	Text      string             `json:"text"`
	Challenge json.RawMessage    `json:"challenge,omitempty"`
}

type enrollmentBody struct {
	Exchange  storage.ExchangeID `json:"exchange_id"`
	Method    string             `json:"method"`
	ExpiresAt time.Time          `json:"expires_at"`
	Text      string             `json:"text"`
	Secret    string             `json:"secret,omitempty"`
	URI       string             `json:"uri,omitempty"`
	QR        string             `json:"qr,omitempty"` // a picture as data: address
}

// turn is one call: who is there, and where the login stands.
type turn struct {
	visit    mfa.Caller
	signedIn *session.SignedIn
	named    storage.RequestID // as the caller names the login
	step     provider.Step
}

// visit finds out who calls. Who is signed in counts in a browser of ours only.
func (s *Surface) visit(c *gin.Context) (turn, error) {
	t := turn{visit: web.Visit(c)}
	token := web.Cookie(c, web.SessionCookie)
	if token == "" || t.visit.Browser == "" {
		return t, nil
	}
	var err error
	if t.signedIn, err = s.sessions.Load(c.Request.Context(), token); err != nil {
		return t, fmt.Errorf("load session: %w", err)
	}
	return t, nil
}

// next reads where a login stands.
func (s *Surface) next(c *gin.Context, t turn, a provider.Ask) (turn, error) {
	var err error
	a.Visit, a.SignedIn, a.Program = t.visit, t.signedIn, true
	if t.step, err = s.provider.Next(c.Request.Context(), a); err != nil {
		return t, err
	}
	t.visit.Locale = web.Locale(c, t.step.UILocales...)
	if !t.step.InBrowser {
		// The end of this login sets no cookie, so it must not touch a session of which
		// the browser would then hold an outdated one.
		t.signedIn = nil
	}
	return t, nil
}

// at reads where the login stands and goes on only if it is at the given step, or, with
// none given, if it is not over. Otherwise the caller has its answer already.
func (s *Surface) at(c *gin.Context, in *input, kind provider.StepKind, identifier string) (turn, bool) {
	return s.asking(c, in, kind, provider.Ask{Identifier: identifier})
}

// asking is at, for calls that ask more.
func (s *Surface) asking(c *gin.Context, in *input, kind provider.StepKind, a provider.Ask) (turn, bool) {
	a.Request, a.Track = storage.RequestID(in.must("request_id")), storage.TrackID(in.text("login_token"))
	if in.wrong != "" {
		s.malformed(c, in)
		return turn{}, false
	}
	t, err := s.visit(c)
	if err == nil {
		t.named = a.Request
		t, err = s.next(c, t, a)
	}
	switch {
	case err != nil:
	case t.step.Kind == kind:
	case t.step.Kind == provider.StepOver:
		err = &mfa.Error{Code: mfa.RequestOver}
	case kind != "":
		err = &mfa.Error{Code: mfa.RequestChanged, Err: fmt.Errorf("the login is at step %q", t.step.Kind)}
	}
	if err != nil {
		s.fail(c, err, "")
		return t, false
	}
	return t, true
}

// onward answers with the step that comes after a change.
func (s *Surface) onward(c *gin.Context, t turn) {
	t, err := s.next(c, t, t.step.Again())
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, t, nil)
}

// show writes a step; more adds what only this call knows.
func (s *Surface) show(c *gin.Context, t turn, more func(b *stepBody)) {
	b := bodyOf(t)
	if a := t.step.Again(); t.step.Owned && !t.step.InBrowser {
		b.Token = a.Track
	}
	if t.step.Kind == provider.StepRecovery {
		codes, err := s.verifier.RecoveryCodes(c.Request.Context(), t.step.Request.Subject)
		if err != nil {
			s.fail(c, err, "")
			return
		}
		b.Codes = codes
	}
	if more != nil {
		more(&b)
	}
	c.PureJSON(http.StatusOK, b)
}

func bodyOf(t turn) stepBody {
	st := t.step
	b := stepBody{Step: string(st.Kind), Request: t.named, ExpiresAt: st.Request.ExpiresAt, UILocales: st.UILocales,
		State: st.Request.Params.Get("state"), Error: st.Refusal,
		Client: clientBody{ID: st.Client.ID, Name: st.Client.Name, Home: st.ClientHome, Logo: st.Client.LogoURI,
			Policy: st.Client.PolicyURI, Terms: st.Client.TosURI}}
	if st.Request.Subject == "" {
		b.LoginHint = st.LoginHint
	} else {
		b.Account = st.LoginHint
	}
	switch st.Kind {
	case provider.StepIdentify, provider.StepVerify:
		b.Options = optionsOf(st)
	case provider.StepEnroll:
		b.Methods = st.Verdict.Methods
	case provider.StepConsent:
		b.Scopes = st.Scopes
	}
	return b
}

// optionsOf lists what can be proven now, and, while nobody is identified, what will
// be asked for or could stand in for the password.
func optionsOf(st provider.Step) []optionBody {
	var out []optionBody
	if st.Kind == provider.StepIdentify {
		for _, method := range st.Verdict.Methods {
			out = append(out, optionBody{Method: method, Usage: mfa.UsageFirst, Text: method, Typed: true})
		}
	}
	for _, o := range st.Options {
		out = append(out, optionBody{Method: o.Method, Authenticator: o.Authenticator, Usage: usageOf(st), Text: o.Text,
			Typed: o.Info.Typed, Numeric: o.Info.Numeric, Sends: o.Info.Sends})
	}
	return out
}

// usageOf is what a second factor would prove now. Before the first factor it follows
// from client and request alone: the user must not show in it.
func usageOf(st provider.Step) string {
	alone := st.Verdict.Needed == mfa.AAL1 || st.Verdict.Needed == mfa.None
	if st.Kind == provider.StepIdentify && st.Client.Passwordless && alone {
		return mfa.UsagePasswordless
	}
	return mfa.UsageSecond
}

// ended writes the end of a login: for the client's redirect address, and taken apart
// for callers who follow no redirect.
func (s *Surface) ended(c *gin.Context, t turn, kind provider.StepKind, a provider.Answer) {
	t.step.Kind = kind
	s.show(c, t, func(b *stepBody) {
		b.Options, b.Methods, b.Scopes, b.Codes = nil, nil, nil, nil
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

func handed(e exchange.Enrolling) *enrollmentBody {
	b := &enrollmentBody{Exchange: e.Exchange, Method: e.Method, ExpiresAt: e.ExpiresAt, Text: e.Text, Secret: e.Handout.Secret, URI: e.Handout.URI}
	if len(e.Handout.QR) > 0 {
		b.QR = "data:image/png;base64," + base64.StdEncoding.EncodeToString(e.Handout.QR)
	}
	return b
}
