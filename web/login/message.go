package login

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/mfa/ticket"
	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
)

// byMessage is a pair of pages: one asks for a name and requests a message, the other for the code in it.
type byMessage struct {
	Way   string // "forgot" or "signup": its path, and the first part of its texts
	Field string // of its form, with the name
}

var (
	forgotten = byMessage{"forgot", "username"}
	signingUp = byMessage{"signup", "email"}
)

// messagePage is the data of both pages.
type messagePage struct {
	byMessage
	Username string
	Pause    int       // seconds until another message can be requested
	Sent     string    // sealed sentState; "": none
	Until    time.Time // when the code of the message expires, unless a later one was sent; zero: not known
	page.Ceremony
}

// Mailbox is the mailbox that the message is read in, as far as the typed name tells.
func (d messagePage) Mailbox() *page.Mailbox { return page.MailboxOf(d.Username) }

// Digits is the number of digits of the code.
func (d messagePage) Digits() int { return ticket.Digits }

// sentParam of an address holds a sealed sentState.
const (
	sentParam   = "sent"
	sentPurpose = "page of a code"
)

// sentState is what the page for a code has to know when it is loaded again: the name never stands
// in an address. Its length depends on the name alone.
type sentState struct {
	Username string `json:"username"`
	At       int64  `json:"at"` // Unix time at which the message was requested
}

// showAsk asks for a name.
func (p *Pages) showAsk(c *gin.Context, w byMessage, status int, name string, a *page.Alert) {
	d := messagePage{byMessage: w, Username: name}
	if w == forgotten {
		var err error
		if d.Ceremony, err = p.inPlaceOfPassword(c); err != nil {
			p.fail(c, p.outsider(c), err)
			return
		}
	}
	v := p.outside(c, returnOf(c), d)
	v.Alert = v.Specific(a, w.Field)
	v.Passkeys, v.Asks = d.Call != "", d.Fresh != ""
	p.look.Write(c, status, "message", v)
}

// inPlaceOfPassword returns the ceremony of the sign-in that waits in this browser: who forgot the
// password may have a passkey, and needs no message. zero: none waits, or it takes none.
func (p *Pages) inPlaceOfPassword(c *gin.Context) (page.Ceremony, error) {
	if requestOf(c) == "" {
		return page.Ceremony{}, nil
	}
	call, err := p.next(c, loginAsk(c))
	if err != nil || call.Step.Kind != provider.StepIdentify {
		return page.Ceremony{}, nil // the page is for people without a login too
	}
	return p.firstCeremony(c, call)
}

// requested leads to the page for the code, which is the same whatever the name. A code of an earlier
// message can be typed too.
func (p *Pages) requested(c *gin.Context, w byMessage, name string, err error) {
	switch code := mfa.CodeOf(err); {
	case err == nil:
		p.toCode(c, w, name)
	case code == mfa.TooManyMessages:
		p.again(c, err, func(status int, a *page.Alert) {
			a.Key = "forgot.wait"
			p.showSent(c, status, messagePage{byMessage: w, Username: name, Pause: page.PauseOf(err)}, a)
		})
	default:
		p.again(c, err, func(status int, a *page.Alert) { p.showAsk(c, w, status, name, a) })
	}
}

// toCode redirects to the page for the code, so that it can be loaded again, and left and come back
// to, without sending the form again.
func (p *Pages) toCode(c *gin.Context, w byMessage, name string) {
	text, err := json.Marshal(sentState{name, web.Now(c).Unix()})
	if err == nil {
		var sealed string
		if sealed, err = p.look.Seal(sentPurpose, web.Caller(c).Browser, text); err == nil {
			page.Redirect(c, page.Path("/"+w.Way+"/code", requestOf(c), clientIn(c))+"&"+url.Values{sentParam: {sealed}}.Encode())
			return
		}
	}
	p.fail(c, p.outsider(c), err)
}

// sentOf reads what the page for the code of this browser has to know, as long as there may be a
// code that works.
func (p *Pages) sentOf(c *gin.Context, w byMessage, sealed string) (messagePage, bool) {
	var s sentState
	text, ok := p.look.Open(sentPurpose, web.Caller(c).Browser, sealed)
	if !ok || json.Unmarshal(text, &s) != nil {
		return messagePage{}, false
	}
	at := time.Unix(s.At, 0)
	d := messagePage{byMessage: w, Username: s.Username, Pause: max(page.Seconds(at.Add(throttle.Resend).Sub(web.Now(c))), 0), Sent: sealed, Until: at.Add(p.lifeOf(w))}
	if web.Now(c).Before(d.Until.Add(throttle.Resend)) {
		return d, true
	}
	return messagePage{}, false // the history of a shared browser must not name the person before
}

// lifeOf returns how long a code is valid.
func (p *Pages) lifeOf(w byMessage) time.Duration {
	if w == forgotten {
		return p.resets.Options().Life
	}
	return p.signups.Options().Life
}

// sentForm shows the page for the code again, or asks for the name if the address holds none for
// this browser.
func (p *Pages) sentForm(w byMessage) gin.HandlerFunc {
	return func(c *gin.Context) {
		d, ok := p.sentOf(c, w, web.Query(c).Get(sentParam))
		if !ok {
			p.showAsk(c, w, http.StatusOK, "", nil)
			return
		}
		p.showSent(c, http.StatusOK, d, nil)
	}
}

func (p *Pages) showSent(c *gin.Context, status int, d messagePage, a *page.Alert) {
	v := p.outside(c, returnOf(c), d)
	if v.Alert = a; c.Request.Method == http.MethodPost {
		v.Here = ""
	}
	p.look.Write(c, status, "message_sent", v)
}

// guessed leads from a typed code to the page of its link, or shows what was wrong.
func (p *Pages) guessed(c *gin.Context, w byMessage, name, to string, err error) {
	if err == nil {
		page.Redirect(c, to)
		return
	}
	p.again(c, err, func(status int, a *page.Alert) {
		if mfa.CodeOf(err) == mfa.InvalidPasscode {
			a.Key = "forgot.wrong"
		}
		d, ok := p.sentOf(c, w, c.PostForm(sentParam))
		if !ok || d.Username != name {
			d = messagePage{byMessage: w, Username: name}
		}
		p.showSent(c, status, d, a)
	})
}

// suggested returns a name to accept or to correct: the one that was typed before, or the one that the
// application of the login in this browser expects; "": none.
func (p *Pages) suggested(c *gin.Context, w byMessage) string {
	if d, ok := p.sentOf(c, w, web.Query(c).Get(sentParam)); ok {
		return d.Username
	}
	if requestOf(c) == "" {
		return ""
	}
	call, err := p.next(c, provider.Ask{MayBeSealed: true})
	if err != nil {
		return ""
	}
	return call.Step.LoginHint
}
