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
	ours := web.Visit(c).Browser != ""
	web.Bind(c)
	t := turn{visit: web.Visit(c)}
	t.visit.Locale = web.Locale(c, strings.Fields(in.Query.Get("ui_locales")+" "+in.Form.Get("ui_locales"))...)
	var err error
	if t.signedIn, err = page.SignedIn(c, p.sessions); err != nil {
		p.fail(c, t, err)
		return
	}
	// A form on the client's site comes without our cookies (SameSite=Lax). Taking that
	// for "nobody is signed in" would leave the session alive; so the person is asked
	// by a page of ours, whose answer carries them.
	if c.Request.Method == http.MethodPost && !confirmed && !ours && t.signedIn == nil {
		p.askLogout(c, t, in)
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
	var d logoutPage
	for _, name := range logoutFields {
		for _, value := range slices.Concat(in.Query[name], in.Form[name]) {
			d.Fields = append(d.Fields, [2]string{name, value})
		}
	}
	p.look.Write(c, http.StatusOK, "logout", p.page(c, t, d))
}

func (p *Pages) loggedOut(c *gin.Context) {
	p.look.Write(c, http.StatusOK, "logged_out", p.page(c, turn{}, nil))
}
