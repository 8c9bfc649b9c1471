package account

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/passkey"
	"sallyport/mfa/selfservice"
	"sallyport/provider"
	"sallyport/storage"
)

// overview is the data of the main page.
type overview struct {
	Notice   string // the change just made; "": none
	Names    []selfservice.Address
	Kinds    []storage.IdentifierKind // of addresses that can be added
	Username bool                     // users choose their user name
	Nameless bool                     // and this one has none
	Profile  []selfservice.Claim      // that can be edited
	Factors  []factorLine
	Addable  []mfa.Info
	Recovery *selfservice.Held // nil: no codes
	Second   bool              // the account has a second factor
	Passkeys bool              // users here can have passkeys
	Passkey  bool              // Factors has one
	Steps    bool              // Factors has others
	Password bool
	// FirstPassword: the owner may set one.
	FirstPassword bool
	Sessions      []sessionLine
	Others        bool // there are sessions besides this one
	Devices       []deviceLine
	Consents      []provider.Allowed
	Waiting       []provider.Waiting
	Signal        string // of the passkeys that are left, for the browser, after a change; "": nothing changed
	Activity      []line
	Refused       []line // attempts, which others can make too
}

// factorLine is one authenticator that the user set up.
type factorLine struct {
	selfservice.Held
	Passkey *passkey.Description // nil: it is none
}

// Known is what the user recognizes it by, beside a name.
func (f factorLine) Known() string {
	if f.Passkey != nil {
		return f.Passkey.Model
	}
	return f.Address
}

// sessionLine is one browser in which the user is signed in.
type sessionLine struct {
	ID      storage.SessionID
	Here    bool
	Agent   mfa.Agent
	Address string
	Since   time.Time
	Seen    time.Time
}

// deviceLine is one browser in which a second factor is remembered.
type deviceLine struct {
	ID                 storage.RememberedID
	Here               bool
	Agent              mfa.Agent
	Since, Used, Until time.Time
}

func (p *Pages) overview(c *gin.Context, call ownerCall) {
	d, err := p.readOverview(c, call)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.show(c, call, http.StatusOK, "account", d, nil)
}

// readOverview reads everything the overview shows.
func (p *Pages) readOverview(c *gin.Context, call ownerCall) (overview, error) {
	var d overview
	var err error
	ctx := c.Request.Context()
	if what, ok := p.look.Verify(donePurpose, call.caller.Browser, c.Query(doneParam)); ok {
		d.Notice = "account.done." + what
		if d.Signal, err = p.signal(call.owner.Account); err != nil {
			return d, err
		}
	}
	d.factors(p, call.owner.Account)
	d.Names, d.Profile = p.accounts.Addresses(call.owner.Account), p.accounts.Profile(call.owner.Account)
	own, editable := p.accounts.Username(call.owner.Account)
	d.Username, d.Nameless = editable, editable && own.Now == ""
	for _, kind := range []storage.IdentifierKind{storage.Email, storage.Phone} {
		if p.verifier.MethodFor(kind) != "" {
			d.Kinds = append(d.Kinds, kind)
		}
	}
	list, err := p.sessions.List(ctx, call.owner)
	if err != nil {
		return d, err
	}
	for _, s := range list {
		d.Sessions = append(d.Sessions, sessionLine{ID: s.ID, Here: s.ID == call.owner.Session, Agent: mfa.ReadAgent(s.UserAgent), Address: s.Address,
			Since: s.CreatedAt, Seen: s.LastSeenAt})
	}
	d.Others = len(d.Sessions) > 1
	devices, err := p.sessions.RememberedOf(ctx, call.owner.Account.User.ID)
	if err != nil {
		return d, err
	}
	for _, r := range devices {
		d.Devices = append(d.Devices, deviceLine{ID: r.ID, Here: p.sessions.RememberedHere(call.caller, r.ID), Agent: mfa.ReadAgent(r.UserAgent),
			Since: r.CreatedAt, Used: r.LastUsedAt, Until: r.ExpiresAt})
	}
	if d.Consents, err = p.provider.Consents(ctx, call.owner.Account.User.ID); err != nil {
		return d, err
	}
	if d.Waiting, err = p.provider.Waiting(ctx, call.owner.Account.User.ID); err != nil {
		return d, err
	}
	d.Activity, d.Refused, err = p.activity(ctx, call, p.page(c, call, nil))
	return d, err
}

// lineOf describes an authenticator of an account.
func (p *Pages) lineOf(a storage.Account, h selfservice.Held) factorLine {
	out := factorLine{Held: h}
	if x := a.Authenticator(h.ID); x != nil && p.passkeys != nil {
		if d, ok := p.passkeys.Describe(*x); ok {
			out.Passkey = &d
		}
	}
	return out
}

func (d *overview) factors(p *Pages, a storage.Account) {
	for _, h := range p.accounts.Held(a) {
		d.Second = d.Second || h.Info.Second
		switch {
		case h.Info.Enrolls:
			line := p.lineOf(a, h)
			d.Passkey, d.Steps = d.Passkey || line.Passkey != nil, d.Steps || line.Passkey == nil
			d.Factors = append(d.Factors, line)
		case h.Info.First:
			d.Password = true
		case h.Info.Second:
			d.Recovery = &h
		}
	}
	d.Passkeys, d.FirstPassword = p.passkeys != nil, p.accounts.MaySetPassword(a)
	d.Addable = slices.DeleteFunc(slices.Clone(p.verifier.Methods()), func(i mfa.Info) bool { return !i.Enrolls })
}

// endSessions ends one session, or all others. It requires a recent proof: a person at an
// unlocked device must not sign the owner out elsewhere.
func (p *Pages) endSessions(c *gin.Context, call ownerCall) {
	if !p.requireFresh(c, call) {
		return
	}
	ctx := c.Request.Context()
	if id := c.PostForm("id"); id != "" {
		if err := p.sessions.EndOne(ctx, call.caller, call.owner, storage.SessionID(id)); err != nil {
			p.fail(c, call, err)
			return
		}
		p.done(c, call, "session")
		return
	}
	if err := p.sessions.EndOthers(ctx, call.caller, call.owner); err != nil {
		p.fail(c, call, err)
		return
	}
	p.done(c, call, "sessions")
}

// forget ends one remembered device, or all.
func (p *Pages) forget(c *gin.Context, call ownerCall) {
	if !p.requireFresh(c, call) {
		return
	}
	id, what := storage.RememberedID(c.PostForm("id")), "devices"
	if id != "" {
		what = "device"
	}
	about := storage.Event{UserID: call.owner.Account.User.ID, SessionID: call.owner.Session, ClientID: call.owner.Client}
	err := p.sessions.ForgetDevice(c.Request.Context(), call.caller, about, id)
	if err != nil && mfa.CodeOf(err) != mfa.NotConfigured { // it is gone, as the user wants
		p.fail(c, call, err)
		return
	}
	p.done(c, call, what)
}

// withdraw withdraws a consent.
func (p *Pages) withdraw(c *gin.Context, call ownerCall) {
	if !p.requireFresh(c, call) {
		return
	}
	err := p.provider.Withdraw(c.Request.Context(), call.caller, call.owner.Account.User.ID, storage.ClientID(c.PostForm("client")))
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.done(c, call, "withdrawn")
}

// refuse ends a request that waits for the user. It gives nothing away, so it needs no new proof.
func (p *Pages) refuse(c *gin.Context, call ownerCall) {
	err := p.provider.RefuseWaiting(c.Request.Context(), storage.PolledID(c.PostForm("id")), call.caller, call.owner)
	switch {
	case mfa.CodeOf(err) == mfa.RequestOver: // it may have been allowed
		p.done(c, call, "over")
	case err != nil:
		p.fail(c, call, err)
	default:
		p.done(c, call, "refused")
	}
}
