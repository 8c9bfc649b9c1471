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
	"sallyport/web/page"
)

// mountLogin adds what whole pages navigate to. These are forms of login pages that are
// not ours and carry no value of ours; the cookie the login is bound to, or the setting
// headless_login with the page's origin and what the login's owner was told, decides
// instead (H-2).
func (s *Surface) mountLogin(r gin.IRouter) {
	r.GET("/authz-srv/authz", s.authorize)
	r.POST("/authz-srv/authz", s.authorize)
	r.POST("/login-srv/login", s.password)
	r.POST("/login-srv/verification/login", s.finish)
	r.POST("/login-srv/precheck/continue/:trackId", s.proceed)
	r.GET("/session/end_session", s.endSession)
	r.POST("/session/end_session", s.endSession)
}

// authorize leads to the authorization endpoint. Applications of the dialect may leave
// the scope out.
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

// sendOn leads on by a form that posts itself, for what must be in no address of ours.
func (s *Surface) sendOn(c *gin.Context, to string, params url.Values) {
	s.answer(c, provider.Answer{FormPost: &provider.FormPost{Action: to, Fields: page.Fields(params)}})
}

// endSession leads to the end-session endpoint. The libraries put an access token into
// the address, where it does not count: it goes on in a body.
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

// form reads the form of a login page; nil with an answer written. Who posts a form is a
// person at a page, also where the form is malformed.
func (s *Surface) form(c *gin.Context) *input {
	if c.ContentType() != formType {
		s.refuse(c, wrongType, "")
		return nil
	}
	in, f := read(c, true)
	if f != nil {
		s.back(c, turn{}, &input{}, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New(f.text)}, nil)
		return nil
	}
	return in
}

// password takes the form of a page that asks for name and password.
func (s *Surface) password(c *gin.Context) {
	in := s.form(c)
	if in == nil {
		return
	}
	t, err := s.provePassword(c, in)
	if err != nil {
		more := url.Values{"view_type": {"login"}}
		if kind := in.text("username_type"); plainWord(kind) {
			more.Set("username_type", kind)
		}
		s.back(c, t, in, err, more)
		return
	}
	s.onward(c, t, in)
}

// provePassword proves a first factor, also where the login is further on already: it
// keeps its user, and another name is refused like a wrong password.
func (s *Surface) provePassword(c *gin.Context, in *input) (turn, error) {
	request, name, password := requestOf(in), in.text("username"), in.text("password")
	t, err := s.open(c, provider.Ask{Request: request, Identifier: name})
	if err != nil {
		return t, err
	}
	if t.step.Kind == provider.StepRefused {
		return t, nil
	}
	if name == "" || password == "" || in.wrong != "" {
		return t, &mfa.Error{Code: mfa.InvalidCredentials}
	}
	return t, s.verifier.Login(c.Request.Context(), t.visit, t.step.Proving, password)
}

// trackOf is the track in an address; the libraries may write it in capitals.
func trackOf(c *gin.Context) storage.TrackID { return id[storage.TrackID](c.Param("trackId")) }

func requestOf(in *input) storage.RequestID {
	return id[storage.RequestID](in.first("requestId", "request_id"))
}

// finish takes the form that ends a login by a verified status.
func (s *Surface) finish(c *gin.Context) {
	in := s.form(c)
	if in == nil {
		return
	}
	t, err := s.claim(c, in)
	if err != nil {
		s.back(c, t, in, err, nil)
		return
	}
	s.onward(c, t, in)
}

// claim makes a verified status count. All it is bound to is said again and has to agree.
func (s *Surface) claim(c *gin.Context, in *input) (turn, error) {
	t, err := s.open(c, provider.Ask{Request: requestOf(in), Sub: masked(in)})
	if err != nil {
		return t, err
	}
	what := exchange.Claim{Status: id[storage.StatusID](in.text("status_id")), Exchange: id[storage.ExchangeID](in.text("exchange_id")),
		Method: s.method(in.first("verificationType", "verification_type")), Sub: masked(in),
		Usages: []string{mfa.UsageFirst, mfa.UsagePasswordless, mfa.UsageInitial, mfa.UsageSecond}}
	if what.Status == "" || what.Method == "" || what.Sub == "" || in.wrong != "" {
		return t, &mfa.Error{Code: mfa.InvalidExchange}
	}
	return t, s.verifier.Claim(c.Request.Context(), t.visit, t.step.Proving, what)
}

// proceed takes the form that goes on with a login once what was missing is proven.
func (s *Surface) proceed(c *gin.Context) {
	in := s.form(c)
	if in == nil {
		return
	}
	t, err := s.proven(c, in)
	if mfa.CodeOf(err) == mfa.InvalidExchange && t.step.Request.ID != "" {
		s.describe(c, err)
		s.show(c, t, in, nil) // still missing, as before
		return
	}
	if err != nil {
		s.back(c, t, in, err, nil)
		return
	}
	s.onward(c, t, in)
}

// proven makes the proof given under a track count, or the one that is named besides.
// The proof of a first factor is none here.
func (s *Surface) proven(c *gin.Context, in *input) (turn, error) {
	t, err := s.open(c, provider.Ask{Track: trackOf(c), Request: requestOf(in)})
	if err != nil {
		return t, err
	}
	if k := t.step.Kind; k != provider.StepVerify && k != provider.StepEnroll {
		return t, nil
	}
	kind, track := in.first("verificationType", "verification_type"), in.text("track_id")
	if track != "" && !strings.EqualFold(track, c.Param("trackId")) {
		return t, &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("the track is not the one of the address")}
	}
	what := exchange.Claim{Status: id[storage.StatusID](in.text("status_id")), Method: s.method(kind), Sub: masked(in),
		Usages: []string{mfa.UsageSecond, mfa.UsageEnroll}}
	if kind != "" && what.Method == "" || in.wrong != "" {
		return t, &mfa.Error{Code: mfa.InvalidExchange}
	}
	return t, s.verifier.Claim(c.Request.Context(), t.visit, t.step.Proving, what)
}

// onward goes on after a proof. In the browser the login is bound to, /continue knows
// how. Otherwise the login goes back to a page of the client's for what is still missing.
// At its end a browser is led to /continue, where alone it is signed in, and a program,
// which sends no origin, is answered here.
func (s *Surface) onward(c *gin.Context, t turn, in *input) {
	if t.step.InBrowser {
		s.toContinue(c, t)
		return
	}
	t, err := s.again(c, t)
	if err != nil {
		s.back(c, t, in, err, nil)
		return
	}
	if t.step.Kind != provider.StepDone && t.step.Kind != provider.StepRefused {
		s.show(c, t, in, nil)
		return
	}
	if t.visit.Origin != "" || t.step.ForBrowser() || t.step.EndsInBrowser() {
		s.toContinue(c, t)
		return
	}
	f, err := s.provider.Finish(c.Request.Context(), t.step, t.visit, t.signedIn)
	if err != nil {
		s.back(c, t, in, err, nil)
		return
	}
	s.answer(c, f.Answer)
}

// toContinue leads to where a login goes on in its browser. One that has none yet is
// taken over by the browser that posted the form, whose origin is one of the client's.
func (s *Surface) toContinue(c *gin.Context, t turn) {
	if t.step.Owned && t.step.Unbound() && t.visit.Origin != "" {
		track, err := s.provider.Track(c.Request.Context(), t.step, t.visit)
		if err != nil {
			s.fail(c, err)
			return
		}
		web.TakeOver(c, string(track))
	}
	page.Redirect(c, "/continue?requestId="+url.QueryEscape(string(t.step.Request.ID)))
}

// back leads to the page the login stands at, with the reason. What belongs to no login
// of this caller's gets the page for that.
func (s *Surface) back(c *gin.Context, t turn, in *input, err error, more url.Values) {
	r, _ := s.describe(c, err)
	c.Writer.Header().Del("Retry-After") // of no meaning in a redirect
	if t.step.Request.ID == "" || t.step.Kind == provider.StepOver {
		page.Redirect(c, "/continue?requestId="+url.QueryEscape(string(requestOf(in))))
		return
	}
	if more == nil {
		more = url.Values{}
	}
	more.Set("error", r.page)
	more.Set("error_description", r.text)
	s.show(c, t, in, more)
}

// show leads to the page of a step: the client's own, else ours.
func (s *Surface) show(c *gin.Context, t turn, in *input, more url.Values) {
	if k := t.step.Kind; (k == provider.StepConsent || k == provider.StepRecovery) && t.step.Owned && t.step.Unbound() && t.visit.Origin != "" {
		s.toContinue(c, t) // only our pages can ask that
		return
	}
	to, err := s.Page(c.Request.Context(), t.step, t.visit)
	if err != nil {
		s.log.LogAttrs(c.Request.Context(), slog.LevelError, "no page", slog.Any("cause", err), slog.String("correlation_id", web.Correlation(c)))
		page.Redirect(c, "/continue?requestId="+url.QueryEscape(string(requestOf(in))))
		return
	}
	if to == "" && t.step.Owned && t.step.Unbound() {
		s.toContinue(c, t)
		return
	}
	if to == "" {
		to = hosted(t.step)
	}
	page.Redirect(c, withQuery(to, more))
}

// plainWord reports whether a text may be said again in an address: a word.
func plainWord(text string) bool {
	return text != "" && len(text) <= 20 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}
