package account

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
)

// overview is the data of the page everything starts from.
type overview struct {
	Notice   string // what was just done; "": nothing
	Factors  []exchange.Held
	Addable  []mfa.Info
	Recovery *exchange.Held // nil: no codes
	Second   bool           // a second factor is held
	Password bool
	Sessions []sessionLine
	Others   bool // there are sessions besides this one
	Consents []provider.Allowed
	Activity []line
	Refused  []line // tries that came to nothing
}

// sessionLine is one place where the person is signed in.
type sessionLine struct {
	ID      storage.SessionID
	Here    bool
	Agent   agent
	Address string
	Since   time.Time
	Seen    time.Time
}

func (p *Pages) overview(c *gin.Context, t turn) {
	d, err := p.survey(c, t)
	if err != nil {
		p.fail(c, t, err)
		return
	}
	p.show(c, t, http.StatusOK, "account", d, nil)
}

// survey reads everything the overview shows.
func (p *Pages) survey(c *gin.Context, t turn) (overview, error) {
	var d overview
	ctx := c.Request.Context()
	if what, ok := p.look.Marked(donePurpose, t.visit.Browser, c.Query(doneParam)); ok {
		d.Notice = "account.done." + what
	}
	d.factors(p.verifier, t.owner.Account)
	list, err := p.sessions.List(ctx, t.owner)
	if err != nil {
		return d, err
	}
	for _, s := range list {
		d.Sessions = append(d.Sessions, sessionLine{ID: s.ID, Here: s.ID == t.owner.Session, Agent: agentOf(s.UserAgent), Address: s.Address,
			Since: s.CreatedAt, Seen: s.LastSeenAt})
	}
	d.Others = len(d.Sessions) > 1
	if d.Consents, err = p.provider.Consents(ctx, t.owner.Account.User.ID); err != nil {
		return d, err
	}
	d.Activity, d.Refused, err = p.activity(ctx, t, p.page(c, t, nil))
	return d, err
}

func (d *overview) factors(v *exchange.Verifier, a storage.Account) {
	for _, h := range v.Held(a) {
		d.Second = d.Second || h.Info.Second
		switch {
		case h.Info.Enrolls:
			d.Factors = append(d.Factors, h)
		case h.Info.First:
			d.Password = true
		case h.Info.Second:
			d.Recovery = &h
		}
	}
	d.Addable = slices.DeleteFunc(v.Methods(), func(i mfa.Info) bool { return !i.Enrolls })
}

// endSessions ends one session, or all others. That is a change of the account: whoever
// found it open must not throw its owner out.
func (p *Pages) endSessions(c *gin.Context, t turn) {
	if !p.fresh(c, t) {
		return
	}
	ctx := c.Request.Context()
	if id := c.PostForm("id"); id != "" {
		if err := p.sessions.EndOne(ctx, t.visit, t.owner, storage.SessionID(id)); err != nil {
			p.fail(c, t, err)
			return
		}
		p.done(c, t, "session")
		return
	}
	if err := p.sessions.EndOthers(ctx, t.visit, t.owner); err != nil {
		p.fail(c, t, err)
		return
	}
	p.done(c, t, "sessions")
}

// withdraw takes a consent back.
func (p *Pages) withdraw(c *gin.Context, t turn) {
	if !p.fresh(c, t) {
		return
	}
	err := p.provider.Withdraw(c.Request.Context(), t.visit, t.owner.Account.User.ID, storage.ClientID(c.PostForm("client")))
	if err != nil {
		p.fail(c, t, err)
		return
	}
	p.done(c, t, "withdrawn")
}
