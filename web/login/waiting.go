package login

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// accountWaiting is where users find the requests that wait for them.
const accountWaiting = "/account#waiting"

// mountWaiting adds the pages for requests of clients that wait for their user (OpenID Connect
// Client-Initiated Backchannel Authentication).
func (p *Pages) mountWaiting(r gin.IRouter) {
	r.GET(provider.WaitingPath, func(c *gin.Context) { page.Redirect(c, accountWaiting) })
	r.POST(provider.WaitingPath, p.guarded(p.waiting))
	for path, name := range map[string]string{provider.WaitingAllowedPath: "waiting.allowed", provider.WaitingDeniedPath: "waiting.denied", provider.WaitingLeftPath: "waiting.left"} {
		r.GET(path, p.polledDone(name))
	}
}

// polledDone shows the page where a login for a request ends whose client polls for it.
func (p *Pages) polledDone(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		p.look.Write(c, http.StatusOK, "polled_done", p.page(c, p.outsider(c), polledDone{Name: name}))
	}
}

// polledDone is the data of that page.
type polledDone struct{ Name string }

// ID is that of the element with the outcome.
func (d polledDone) ID() string { return strings.ReplaceAll(d.Name, ".", "-") }

// waiting opens an ordinary login of this browser for a request that waits for the user who is signed in.
func (p *Pages) waiting(c *gin.Context) {
	web.Bind(c)
	call := p.outsider(c)
	s, err := signin.Session(c, p.sessions)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	if s == nil {
		page.Redirect(c, accountWaiting)
		return
	}
	call.SignedIn = s
	start, err := p.provider.BeginWaiting(c.Request.Context(), storage.PolledID(c.PostForm("id")), call.Caller, s)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	call.Step = start.Step
	p.proceed(c, call)
}
