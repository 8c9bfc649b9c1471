package login

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
)

// logoutPage is the data of the page that asks whether to sign out.
type logoutPage struct {
	Fields [][2]string // parameters of the call, sent again with the confirmation
	Fault  string      // why the call cannot be followed; "": it can
}

// logoutFields are the parameters of OpenID Connect RP-Initiated Logout section 2, and
// the access token that applications of cidaas send.
var logoutFields = []string{"id_token_hint", "access_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"}

// logout is the end-session endpoint: GET or POST by a client, and POST by our own
// confirmation, which alone carries "confirm".
func (p *Pages) logout(c *gin.Context) {
	in := provider.Params{Query: c.Request.URL.Query()}
	in.Query.Del("access_token_hint") // counts in a body only
	confirmed := false
	if c.Request.Method == http.MethodPost {
		in.Form = c.Request.PostForm
		confirmed = in.Form.Get("confirm") != ""
	}
	if confirmed && !p.look.Ours(c.Request, web.Visit(c).Browser, in.Form.Get("csrf")) {
		p.foreign(c)
		return
	}
	in.Form.Del("confirm")
	in.Form.Del("csrf")
	if !confirmed && cookieless(c) {
		p.answer(c, turn{}, provider.Answer{FormPost: &provider.FormPost{Action: "/logout?" + page.Resent, Fields: logoutParams(in)}})
		return
	}
	web.Bind(c)
	t := turn{visit: web.Visit(c)}
	t.visit.Locale = web.Locale(c, strings.Fields(in.Query.Get("ui_locales")+" "+in.Form.Get("ui_locales"))...)
	var err error
	if t.signedIn, err = page.SignedIn(c, p.sessions); err != nil {
		p.fail(c, t, err)
		return
	}
	out, err := p.provider.EndSession(c.Request.Context(), in, t.visit, t.signedIn, confirmed)
	var refused *provider.PageError
	if errors.As(err, &refused) {
		p.look.Write(c, http.StatusBadRequest, "logout", p.page(c, t, logoutPage{Fault: describe(refused)}))
		return
	}
	if err != nil {
		p.fail(c, t, err)
		return
	}
	if out.Client != nil {
		t.step.Client = *out.Client
	}
	p.leave(c, t, in, out)
}

// cookieless reports whether a form came without our cookies although the browser may
// have them: they are SameSite=Lax, and a form on the client's site does not bring them.
// Taking that for "nobody is signed in" would leave the session alive, and a new binding
// would end the logins of other tabs. Sent on by a form of ours, it brings them.
func cookieless(c *gin.Context) bool {
	if c.Request.Method != http.MethodPost || web.Visit(c).Browser != "" {
		return false
	}
	site := c.GetHeader("Sec-Fetch-Site")
	return site == "cross-site" || site == "" && !strings.Contains(c.Request.URL.RawQuery, page.Resent)
}

func (p *Pages) leave(c *gin.Context, t turn, in provider.Params, out provider.Logout) {
	if out.Confirm {
		p.askLogout(c, t, in)
		return
	}
	if web.Cookie(c, web.SessionCookie) != "" {
		web.ClearCookie(c, web.SessionCookie)
	}
	if out.Redirect != "" {
		page.Redirect(c, out.Redirect)
		return
	}
	page.Redirect(c, "/logged-out")
}

func (p *Pages) askLogout(c *gin.Context, t turn, in provider.Params) {
	p.look.Write(c, http.StatusOK, "logout", p.page(c, t, logoutPage{Fields: logoutParams(in)}))
}

// logoutParams are the parameters of a call, to be sent again.
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
	p.look.Write(c, http.StatusOK, "logged_out", p.page(c, turn{}, nil))
}
