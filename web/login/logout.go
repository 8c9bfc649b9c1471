package login

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// logoutPage is the data of the page that asks whether to sign out.
type logoutPage struct {
	Fields [][2]string // parameters of the request, sent again with the confirmation
	Fault  string      // why the request is refused; "": it is not
}

// logoutFields are the parameters of OpenID Connect RP-Initiated Logout section 2, and
// the access token that applications of cidaas send.
var logoutFields = []string{"id_token_hint", "access_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"}

// logout is the end-session endpoint: GET or POST by a client, and POST by the server's
// own confirmation, which alone carries "confirm".
func (p *Pages) logout(c *gin.Context) {
	in := provider.Params{Query: c.Request.URL.Query()}
	in.Query.Del("access_token_hint") // counts only in a body
	confirmed := false
	if c.Request.Method == http.MethodPost {
		in.Form = c.Request.PostForm
		confirmed = in.Form.Get("confirm") != ""
	}
	if confirmed && !p.look.OwnForm(c, in.Form.Get("csrf")) {
		p.foreign(c)
		return
	}
	in.Form.Del("confirm")
	in.Form.Del("csrf")
	called := byProgram(c)
	if !confirmed && !called && cookieless(c) {
		p.answer(c, signin.Call{}, provider.Answer{FormPost: &provider.FormPost{Action: "/logout?" + page.Resent, Fields: logoutParams(in)}})
		return
	}
	if !called {
		web.Bind(c)
	}
	call := signin.Call{Caller: web.Caller(c)}
	call.Caller.Locale = web.Locale(c, strings.Fields(in.Query.Get("ui_locales")+" "+in.Form.Get("ui_locales"))...)
	var err error
	if call.SignedIn, err = signin.Session(c, p.sessions); err != nil {
		p.fail(c, call, err)
		return
	}
	out, err := p.provider.EndSession(c.Request.Context(), in, call.Caller, call.SignedIn, confirmed)
	var refused *provider.PageError
	if errors.As(err, &refused) {
		p.look.Write(c, http.StatusBadRequest, "logout", p.page(c, call, logoutPage{Fault: p.describe(refused)}))
		return
	}
	if err != nil {
		p.fail(c, call, err)
		return
	}
	if out.Client != nil {
		call.Step.Client = *out.Client
		_, call.Step.ClientHome = p.provider.Home(c.Request.Context(), out.Client.ID)
	}
	p.leave(c, call, in, out)
}

// cookieless reports whether a form came without the server's cookies although the browser
// may have them: they are SameSite=Lax, so a form on the client's site does not send them.
// If that counted as "no user is signed in", the session would live on, and a new binding
// cookie would end the logins of other tabs. A form of the server's own sends them.
func cookieless(c *gin.Context) bool {
	if c.Request.Method != http.MethodPost || web.Caller(c).Browser != "" {
		return false
	}
	site := c.GetHeader("Sec-Fetch-Site")
	return site == "cross-site" || site == "" && !strings.Contains(c.Request.URL.RawQuery, page.Resent)
}

// byProgram reports whether a program of the application calls: one that has no page to show the response in.
func byProgram(c *gin.Context) bool {
	return c.GetHeader("Sec-Fetch-Site") == "" && !strings.Contains(c.GetHeader("Accept"), "text/html") && web.Caller(c).Browser == ""
}

func (p *Pages) leave(c *gin.Context, call signin.Call, in provider.Params, out provider.Logout) {
	if out.Confirm {
		p.askLogout(c, call, in)
		return
	}
	if web.Cookie(c, web.SessionCookie) != "" {
		web.ClearCookie(c, web.SessionCookie)
	}
	if len(out.Frontchannel) > 0 {
		p.tellApplications(c, call, in, out)
		return
	}
	page.Redirect(c, cmp.Or(out.Redirect, loggedOutPath(out)))
}

func loggedOutPath(out provider.Logout) string {
	if out.Client != nil {
		return "/logged-out?client_id=" + url.QueryEscape(string(out.Client.ID))
	}
	return "/logged-out"
}

// signingOutPage is the data of the page that loads the pages of applications (OpenID Connect
// Front-Channel Logout 1.0).
type signingOutPage struct {
	Onward string // where the browser goes next
}

// tellApplications shows the page that signs the browser out of its applications. To go on to an
// application, whose address may be of an app on the device, the browser asks this endpoint again:
// it is signed out by then and is redirected.
func (p *Pages) tellApplications(c *gin.Context, call signin.Call, in provider.Params, out provider.Logout) {
	data := signingOutPage{Onward: loggedOutPath(out)}
	if out.Redirect != "" {
		q := url.Values{"client_id": {string(out.Client.ID)}}
		for _, field := range logoutParams(in) {
			if field[0] == "post_logout_redirect_uri" || field[0] == "state" {
				q.Set(field[0], field[1])
			}
		}
		data.Onward = "/logout?" + q.Encode()
	}
	v := p.page(c, call, data)
	v.Frames, v.Here = out.Frontchannel, "" // there is no other address with this page
	p.look.Write(c, http.StatusOK, "signing_out", v)
}

func (p *Pages) askLogout(c *gin.Context, call signin.Call, in provider.Params) {
	p.look.Write(c, http.StatusOK, "logout", p.page(c, call, logoutPage{Fields: logoutParams(in)}))
}

// logoutParams are the parameters of a request, to send them again.
func logoutParams(in provider.Params) [][2]string {
	var out [][2]string
	for _, name := range logoutFields {
		for _, value := range slices.Concat(in.Query[name], in.Form[name]) {
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

func (p *Pages) loggedOut(c *gin.Context) {
	p.look.Write(c, http.StatusOK, "logged_out", p.page(c, signin.Call{}, nil))
}
