package cidaas

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/jsonbody"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// navigated reports whether browsers navigate to an address, and do not call it from a script.
func navigated(path string) bool {
	track, proceeds := strings.CutPrefix(path, "/login-srv/precheck/continue/")
	return proceeds && !strings.Contains(track, "/") ||
		path == "/authz-srv/authz" || path == "/login-srv/login" || path == "/login-srv/verification/login"
}

// mountLogin adds the addresses that pages navigate to. The forms are those of clients'
// pages and carry no CSRF token. They are authorized by the binding cookie of the login or,
// for a client with headless_login, by the page's origin and the login's track (H-2).
func (s *Surface) mountLogin(r gin.IRouter) {
	r.GET("/authz-srv/authz", s.authorize)
	r.POST("/authz-srv/authz", s.authorize)
	r.POST("/login-srv/login", s.password)
	r.POST("/login-srv/verification/login", s.finish)
	r.POST("/login-srv/precheck/continue/:trackId", s.proceed)
	r.GET("/session/end_session", s.endSession)
	r.POST("/session/end_session", s.endSession)
}

// authorize redirects to the authorization endpoint. Applications of the dialect may leave
// out the scope.
func (s *Surface) authorize(c *gin.Context) {
	if c.Request.Method == http.MethodPost && c.Request.URL.RawQuery == "" {
		if c.Request.PostForm.Get("scope") != "" {
			c.Redirect(http.StatusTemporaryRedirect, "/authorize")
			return
		}
		s.authorizeWith(c, c.Request.PostForm)
		return
	}
	query := c.Request.URL.Query()
	if query.Get("scope") != "" || c.Request.Method == http.MethodPost {
		page.Redirect(c, "/authorize?"+c.Request.URL.RawQuery)
		return
	}
	s.authorizeWith(c, query)
}

func (s *Surface) authorizeWith(c *gin.Context, params url.Values) {
	if err := s.fillScope(c, params); err != nil {
		s.fail(c, err)
		return
	}
	if c.Request.Method == http.MethodPost && params.Has("id_token_hint") {
		s.sendOn(c, "/authorize?"+page.Resent, params)
		return
	}
	page.Redirect(c, "/authorize?"+params.Encode())
}

// sendOn redirects by a form that posts itself, for parameters that must not be in an
// address.
func (s *Surface) sendOn(c *gin.Context, to string, params url.Values) {
	s.answer(c, provider.Answer{FormPost: &provider.FormPost{Action: to, Fields: page.Fields(params)}})
}

// endSession redirects to the end-session endpoint. The libraries put an access token into
// the address, where it does not count: it is sent on in a body.
func (s *Surface) endSession(c *gin.Context) {
	if query := c.Request.URL.Query(); c.Request.Method == http.MethodGet && query.Has("access_token_hint") {
		s.sendOn(c, "/logout", query)
		return
	}
	to := "/logout"
	if c.Request.URL.RawQuery != "" {
		to += "?" + c.Request.URL.RawQuery
	}
	if c.Request.Method == http.MethodPost {
		c.Redirect(http.StatusTemporaryRedirect, to)
		return
	}
	page.Redirect(c, to)
}

// form reads the form of a login page. For a malformed one it redirects the browser and
// returns nil.
func (s *Surface) form(c *gin.Context) *input {
	if c.ContentType() != formType {
		s.refuse(c, wrongType, "")
		return nil
	}
	in, f := read(c, true)
	if f != nil {
		s.back(c, signin.Call{}, &input{&jsonbody.Object{}}, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New(f.Reason)}, nil)
		return nil
	}
	return in
}

// password takes the form with name and password.
func (s *Surface) password(c *gin.Context) {
	in := s.form(c)
	if in == nil {
		return
	}
	call, err := s.provePassword(c, in)
	if err != nil {
		more := url.Values{"view_type": {"login"}}
		if kind := in.Text("username_type"); plainWord(kind) {
			more.Set("username_type", kind)
		}
		s.back(c, call, in, err, more)
		return
	}
	s.onward(c, call, in)
}

// provePassword proves the first factor, also if the login is at a later step. The login
// keeps its user: another name is refused like a wrong password.
func (s *Surface) provePassword(c *gin.Context, in *input) (signin.Call, error) {
	request, name, password := in.request(), in.Text("username"), in.Text("password")
	call, err := s.open(c, provider.Ask{Request: request, Identifier: name})
	if err != nil {
		return call, err
	}
	if call.Step.Kind == provider.StepRefused {
		return call, nil
	}
	if name == "" || password == "" || in.faulty() {
		return call, &mfa.Error{Code: mfa.InvalidCredentials}
	}
	return call, s.verifier.Password(c.Request.Context(), call.Caller, call.Step.Login, password)
}

// trackOf is the track in the address.
func trackOf(c *gin.Context) storage.TrackID { return id[storage.TrackID](c.Param("trackId")) }

// finish takes the form that ends a login with a verified status.
func (s *Surface) finish(c *gin.Context) {
	in := s.form(c)
	if in == nil {
		return
	}
	call, err := s.claim(c, in)
	if err != nil {
		s.back(c, call, in, err, nil)
		return
	}
	s.onward(c, call, in)
}

// claim adds the factor of a verified status. The call repeats all that the status is bound
// to.
func (s *Surface) claim(c *gin.Context, in *input) (signin.Call, error) {
	call, err := s.open(c, provider.Ask{Request: in.request(), Sub: in.masked()})
	if err != nil {
		return call, err
	}
	what := exchange.Claim{Status: id[storage.StatusID](in.Text("status_id")), Exchange: id[storage.ExchangeID](in.Text("exchange_id")),
		Method: s.method(in.first("verificationType", "verification_type")), Sub: in.masked(),
		Usages: []string{mfa.UsageFirst, mfa.UsagePasswordless, mfa.UsageInitial, mfa.UsageSecond}}
	if what.Status == "" || what.Method == "" || what.Sub == "" || in.faulty() {
		return call, &mfa.Error{Code: mfa.InvalidExchange}
	}
	return call, s.verifier.Claim(c.Request.Context(), call.Caller, call.Step.Login, what)
}

// proceed takes the form that continues a login after a missing factor was proven.
func (s *Surface) proceed(c *gin.Context) {
	in := s.form(c)
	if in == nil {
		return
	}
	call, err := s.proven(c, in)
	if mfa.CodeOf(err) == mfa.InvalidExchange && call.Step.Request.ID != "" {
		s.describe(c, err)
		s.show(c, call, in, nil) // the factor is still missing
		return
	}
	if err != nil {
		s.back(c, call, in, err, nil)
		return
	}
	s.onward(c, call, in)
}

// proven adds the second factor that was proven under a track, or that of the status the
// call names.
func (s *Surface) proven(c *gin.Context, in *input) (signin.Call, error) {
	call, err := s.open(c, provider.Ask{Track: trackOf(c), Request: in.request()})
	if err != nil {
		return call, err
	}
	if k := call.Step.Kind; k != provider.StepVerify && k != provider.StepEnroll {
		return call, nil
	}
	kind, track := in.first("verificationType", "verification_type"), in.Text("track_id")
	if track != "" && !strings.EqualFold(track, c.Param("trackId")) {
		return call, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("the track is not the one of the address")}
	}
	what := exchange.Claim{Status: id[storage.StatusID](in.Text("status_id")), Method: s.method(kind), Sub: in.masked(),
		Usages: []string{mfa.UsageSecond, mfa.UsageEnroll}}
	if kind != "" && what.Method == "" || in.faulty() {
		return call, &mfa.Error{Code: mfa.InvalidExchange}
	}
	return call, s.verifier.Claim(c.Request.Context(), call.Caller, call.Step.Login, what)
}

// onward continues a login after a proof: at /continue in the browser it is bound to, else
// on the client's page for the next step. A login that is done ends at /continue in a
// browser, the only place that signs it in, and here for a program, which sends no origin.
func (s *Surface) onward(c *gin.Context, call signin.Call, in *input) {
	if call.Step.InBrowser {
		s.toContinue(c, call)
		return
	}
	call, err := s.logins.Next(c, call, call.Step.Again())
	if err != nil {
		s.back(c, call, in, err, nil)
		return
	}
	if call.Step.Kind != provider.StepDone && call.Step.Kind != provider.StepRefused {
		s.show(c, call, in, nil)
		return
	}
	if call.Caller.Origin != "" || call.Step.ForBrowser() || call.Step.EndsInBrowser() {
		s.toContinue(c, call)
		return
	}
	f, err := s.provider.Finish(c.Request.Context(), call.Step, call.Caller, call.SignedIn)
	if err != nil {
		s.back(c, call, in, err, nil)
		return
	}
	s.answer(c, f.Answer)
}

// toContinue redirects to /continue. A login without a browser is taken over by the one
// that posted the form, from one of the client's origins.
func (s *Surface) toContinue(c *gin.Context, call signin.Call) {
	if call.Step.Owned && call.Step.Unbound() && call.Caller.Origin != "" {
		track, err := s.provider.Track(c.Request.Context(), call.Step, call.Caller)
		if err != nil {
			s.fail(c, err)
			return
		}
		web.TakeOver(c, string(track))
	}
	page.Redirect(c, signin.ContinuePath(call.Step.Request.ID))
}

// back redirects to the page of the login's step, with the reason of a refusal. Without a
// login of this caller it redirects to /continue, which shows an error page.
func (s *Surface) back(c *gin.Context, call signin.Call, in *input, err error, more url.Values) {
	r, _ := s.describe(c, err)
	c.Writer.Header().Del("Retry-After") // has another meaning in a redirect
	if call.Step.Request.ID == "" || call.Step.Kind == provider.StepOver {
		page.Redirect(c, signin.ContinuePath(in.request()))
		return
	}
	if more == nil {
		more = url.Values{}
	}
	more.Set("error", r.page)
	more.Set("error_description", r.text)
	s.show(c, call, in, more)
}

// show redirects to the page of a step: the client's own, else the server's.
func (s *Surface) show(c *gin.Context, call signin.Call, in *input, more url.Values) {
	if k := call.Step.Kind; (k == provider.StepConsent || k == provider.StepRecovery) && call.Step.Owned && call.Step.Unbound() && call.Caller.Origin != "" {
		s.toContinue(c, call) // only the server's pages can show these steps
		return
	}
	to, err := s.Page(c.Request.Context(), call.Step, call.Caller)
	if err != nil {
		web.Log(c, s.log, slog.LevelError, "no page", slog.Any("cause", err))
		page.Redirect(c, signin.ContinuePath(in.request()))
		return
	}
	if to == "" && call.Step.Owned && call.Step.Unbound() {
		s.toContinue(c, call)
		return
	}
	if to == "" {
		to = hosted(call.Step)
	}
	page.Redirect(c, withQuery(to, more))
}

// plainWord reports whether a text is a word that may be repeated in an address.
func plainWord(text string) bool {
	return text != "" && len(text) <= 20 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}
