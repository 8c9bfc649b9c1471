package login

import (
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/provider/clients"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// mountDevices adds the pages for devices without a browser (RFC 8628 section 3.3).
func (p *Pages) mountDevices(r gin.IRouter) {
	r.GET(provider.DevicePath, p.deviceForm)
	r.POST(provider.DevicePath, p.guarded(p.device))
	for path, name := range map[string]string{provider.DeviceAllowedPath: "device.allowed", provider.DeviceDeniedPath: "device.denied"} {
		r.GET(path, p.polledDone(name))
	}
}

// maxUserCode is how much of a typed code the page shows again.
const maxUserCode = 20

// devicePage is the data of the page that asks for the code of a device.
type devicePage struct {
	Code string
	Link bool // the code came with the address: its reader has not compared it yet
}

func (p *Pages) deviceForm(c *gin.Context) {
	code := strings.ToUpper(strings.TrimSpace(web.Query(c).Get("user_code")))
	if len(code) > maxUserCode {
		code = ""
	}
	p.showDevice(c, http.StatusOK, devicePage{Code: code, Link: code != ""}, nil)
}

func (p *Pages) showDevice(c *gin.Context, status int, d devicePage, a *page.Alert) {
	web.Bind(c) // for the token of the form
	v := p.page(c, p.outsider(c), d)
	v.Alert = a
	p.look.Write(c, status, "device", v)
}

// device opens an ordinary login of this browser for the request of a device.
func (p *Pages) device(c *gin.Context) {
	call := p.outsider(c)
	s, err := signin.Session(c, p.sessions)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	call.SignedIn = s
	typed := c.PostForm("user_code")
	start, err := p.provider.BeginDevice(c.Request.Context(), typed, call.Caller, s)
	if err != nil {
		p.retry(c, call, err, func(status int, a *page.Alert) {
			if mfa.CodeOf(err) == mfa.InvalidPasscode {
				a.Key, a.Wrong = "device.wrong", true
			}
			p.showDevice(c, status, devicePage{Code: typed[:min(len(typed), maxUserCode)]}, a)
		})
		return
	}
	call.Step = start.Step
	p.proceed(c, call)
}

// origin is where the request came from that a login ends, for the person who is asked.
type origin struct {
	Address string
	Country string
	Agent   mfa.Agent
	Named   string // what the device calls itself; "": nothing, or Agent says it
	Asked   bool   // its client named the user; no device showed a code
	Message string // of that client, which the user compares; "": none
	At      time.Time
}

// maxNamed is how much of what a device calls itself is shown.
const maxNamed = 60

func originOf(r *storage.PolledRequest) *origin {
	if r == nil {
		return nil
	}
	d := r.Details
	out := &origin{Address: d.Address, Country: d.Country, Agent: mfa.ReadAgent(d.Agent), At: r.CreatedAt}
	if r.GrantType == clients.CIBA { // the caller was a server
		out.Asked, out.Message, out.Agent = true, d.Message, mfa.Agent{}
		return out
	}
	if out.Agent == (mfa.Agent{}) {
		out.Named = strings.TrimSpace(strings.Map(ofName, d.Agent[:min(len(d.Agent), maxNamed)]))
	}
	return out
}

// ofName keeps what names of devices are made of. The page quotes the name, and a stranger may have
// written it: nothing in it may end the quotation and go on in the words of the page.
func ofName(r rune) rune {
	if r == utf8.RuneError || input.Unseen(string(r)) || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" ._/()-", r) {
		return -1
	}
	return r
}
