package login

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// codePath is the page for a code in place of the password.
const codePath = "/code"

// codePage is the data of that page. For every name it is the same: whether a user has the name, and
// which methods they have, is not shown, nor where a code went.
type codePage struct {
	Username string
	Known    bool // the user is identified
	Method   string
	Exchange storage.ExchangeID // "": the attempt has ended
	Numeric  bool
	Digits   int
	Sends    bool
	Minutes  int      // how long a code is valid that is sent
	Others   []string // other methods that can replace the password
	Left     int      // tries left for the code
	Pause    int      // seconds until another code can be sent
}

// codeShape is what the page shows of codePage, without what is personal.
type codeShape struct {
	method, others               string
	digits, minutes, left, pause int
	known, began, numeric, sends bool
}

// Kept is that of page.Data.
func (d codePage) Kept() (page.Kept, bool) {
	shape := codeShape{d.Method, strings.Join(d.Others, " "), d.Digits, d.Minutes, d.Left, d.Pause, d.Known, d.Exchange != "", d.Numeric, d.Sends}
	k := page.Kept{Shape: shape, Texts: []string{d.Username}}
	if d.Exchange != "" {
		k.Random = []string{string(d.Exchange)}
	}
	return k, true
}

// With is that of page.Data.
func (d codePage) With(texts []string) any {
	d.Username = texts[0]
	return d
}

// codeMethods returns the names of the methods that can replace the password in a login. A user who
// has replaced it already needs the password itself.
func (p *Pages) codeMethods(call signin.Call) []string {
	if len(call.Step.Verdict.Factors) > 0 {
		return nil
	}
	var out []string
	for _, i := range p.verifier.Alone(call.Step.Login) {
		out = append(out, i.Name)
	}
	return out
}

// codeForm asks for the code that this browser began with. Without one it leads to the page for the
// name.
func (p *Pages) codeForm(c *gin.Context) {
	call, ok := p.at(c, provider.StepIdentify, provider.Ask{MayBeSealed: true, MayBeProven: true})
	if !ok {
		return
	}
	d := codePage{Method: c.Query("method")}
	if sent, ok := p.codeSent(c, call, d.Method); ok {
		if sent.Exchange == "" {
			p.onward(c)
			return
		}
		p.showCode(c, call, http.StatusOK, d, sent, nil)
	}
}

// code begins with a method, or takes the code.
func (p *Pages) code(c *gin.Context) {
	username := c.PostForm("username")
	passcode, typed := c.GetPostForm("passcode")
	call, ok := p.at(c, provider.StepIdentify, provider.Ask{Identifier: username, MayBeSealed: typed})
	if !ok {
		return
	}
	choice := exchange.Choice{Method: c.PostForm("method"), Usage: mfa.UsagePasswordless, Unlisted: true}
	switch {
	case !slices.Contains(p.codeMethods(call), choice.Method):
		p.onward(c)
	case username == "" && call.Step.Request.Subject == "":
		p.showLogin(c, call, http.StatusUnprocessableEntity, "", &page.Alert{Key: "login.unnamed", Wrong: true})
	case typed:
		p.proveCode(c, call, choice, passcode)
	default:
		p.beginCode(c, call, choice)
	}
}

// beginCode begins with a method, and redirects to the page that asks for the code: loading that
// again sends nothing.
func (p *Pages) beginCode(c *gin.Context, call signin.Call, choice exchange.Choice) {
	if _, err := p.verifier.Initiate(c.Request.Context(), call.Caller, call.Step.Login, choice); err != nil {
		p.retryCode(c, call, choice, err)
		return
	}
	page.Redirect(c, page.Path(codePath, call.Step.Request.Address(), call.Step.Client.ID)+"&method="+url.QueryEscape(choice.Method))
}

func (p *Pages) proveCode(c *gin.Context, call signin.Call, choice exchange.Choice, passcode string) {
	login, proven := p.provider.WithProof(call.Step, call.Caller)
	id := storage.ExchangeID(c.PostForm("exchange"))
	err := error(&mfa.Error{Code: mfa.InvalidExchange}) // without one, only a user's attempt could be counted after its comparison
	if id != "" {
		_, err = p.verifier.Prove(c.Request.Context(), call.Caller, login, choice, id, mfa.Typed(passcode))
	}
	if err != nil {
		p.retryCode(c, call, choice, err)
		return
	}
	p.goOn(c, call, proven)
}

// retryCode shows the page again with the reason of a refusal.
func (p *Pages) retryCode(c *gin.Context, call signin.Call, choice exchange.Choice, err error) {
	p.retry(c, call, err, func(code int, a *page.Alert) {
		sent, ok := p.codeSent(c, call, choice.Method)
		if !ok {
			return
		}
		if sent.Identifier != "" && sent.Identifier != call.Step.Login.Identifier {
			sent = exchange.Sent{} // of a name typed before
		}
		d := codePage{Username: c.PostForm("username"), Method: choice.Method, Pause: page.PauseOf(err)}
		p.showCode(c, call, code, d, sent, a)
	})
}

// codeSent returns the attempt that this browser began with a method; zero: none. If it returns
// false, it has written a response.
func (p *Pages) codeSent(c *gin.Context, call signin.Call, method string) (exchange.Sent, bool) {
	sent, err := p.verifier.Sent(c.Request.Context(), call.Caller, call.Step.Login, exchange.Choice{Method: method, Usage: mfa.UsagePasswordless})
	if err != nil && mfa.CodeOf(err) == "" {
		p.fail(c, call, err)
		return sent, false
	}
	return sent, true
}

func (p *Pages) showCode(c *gin.Context, call signin.Call, code int, d codePage, sent exchange.Sent, a *page.Alert) {
	if sent.Exchange != "" {
		d.Method, d.Exchange, d.Left, d.Pause = sent.Method, sent.Exchange, sent.Left, max(d.Pause, page.Seconds(sent.Pause))
	}
	if d.Username == "" {
		d.Username = sent.Identifier
	}
	if d.Known = call.Step.Request.Subject != ""; d.Known {
		d.Username = call.Step.LoginHint
	}
	i, _ := p.verifier.Info(d.Method)
	d.Numeric, d.Digits, d.Sends = i.Numeric, i.Digits, i.Sends
	d.Minutes = int(i.Life.Minutes())
	d.Others = slices.DeleteFunc(p.codeMethods(call), func(name string) bool { return name == d.Method })
	v := p.page(c, call, d)
	v.Alert = v.OfMethod(a, d.Method, p.verifier.AddressKind(d.Method))
	if d.Exchange == "" {
		v.Here = "" // a GET leads to the page for the name
	}
	p.look.Write(c, code, "code", v)
}
