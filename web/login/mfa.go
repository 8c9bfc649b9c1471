package login

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/recovery"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// option is one authenticator that a user can choose on the page of the second factor.
type option struct {
	ID      string // of its link: the method, with a number from the second of its kind on
	Method  string
	Chosen  storage.AuthenticatorID // "": any of the method
	Name    string                  // given by the user
	Typed   bool
	Numeric bool
	Digits  int // length of its codes; 0: unknown
	Sends   bool
	Address string // masked, where its codes are sent
	used    time.Time
}

// mfaPage is the data of the page that asks for a second factor.
type mfaPage struct {
	Way       *option // nil: no usable one is left
	Others    []option
	Exchange  storage.ExchangeID // of the attempt that continues; "": a new attempt
	Left      int                // tries left for a code that was sent; 0: not known
	Recovers  bool               // a recovery code is another way
	TakenFor  string             // the method that a code typed for another one was checked as; "": it was not
	Remembers bool               // the user may have the browser remembered, for so many
	Days      int                // or
	Hours     int
	Remember  bool      // the user wants that
	Until     time.Time // when a code that was sent expires; zero: none was
	page.Sending
	page.Ceremony // of a way without a code
}

// sentIn marks the form that has the exchange of a code.
const sentIn = "mfa-form"

func (p *Pages) mfaForm(c *gin.Context) {
	if call, ok := p.atMFA(c); ok {
		p.showMFA(c, call, http.StatusOK, mfaPage{}, choiceOf(c.Query), notice(c))
	}
}

// choiceOf reads the user's choice from an address or a form.
func choiceOf(get func(string) string) exchange.Choice {
	return exchange.Choice{Method: get("method"), Authenticator: storage.AuthenticatorID(get("authenticator")), Usage: mfa.UsageSecond}
}

func (p *Pages) mfa(c *gin.Context) {
	call, ok := p.at(c, provider.StepVerify, provider.Ask{})
	if !ok {
		return
	}
	choice := choiceOf(c.PostForm)
	if c.PostForm("send") != "" {
		p.send(c, call, choice)
		return
	}
	d := mfaPage{Exchange: storage.ExchangeID(c.PostForm("exchange"))}
	if fit := p.verifier.Fit(call.Step.Login, choice, page.ResponseOf(c)); fit != choice {
		d, choice = mfaPage{TakenFor: fit.Method}, fit
	}
	login, proven := p.provider.WithProof(&call.Step, call.Caller)
	cookie := ""
	if d.Remember = c.PostForm("remember") != ""; d.Remember {
		login, cookie = p.provider.Remember(call.Step, call.Caller, login)
	}
	var err error
	d.Exchange, err = p.verifier.Prove(c.Request.Context(), call.Caller, login, choice, d.Exchange, page.ResponseOf(c))
	if err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) {
			d.Signal = page.Signals(err)
			p.showMFA(c, call, code, d, choice, a)
		})
		return
	}
	signin.KeepRemembered(c, cookie)
	p.goOn(c, call, proven)
}

// wayPath is the address of the page for a choice.
func wayPath(call signin.Call, choice exchange.Choice) string {
	to := page.Path("/mfa", call.Step.Request.Address(), call.Step.Client.ID) + "&method=" + url.QueryEscape(choice.Method)
	if choice.Authenticator != "" {
		to += "&authenticator=" + url.QueryEscape(string(choice.Authenticator))
	}
	return to
}

// send sends a code for the chosen option, and redirects to the page that asks for it: loading that
// again sends nothing, and finds the code by its browser.
func (p *Pages) send(c *gin.Context, call signin.Call, choice exchange.Choice) {
	_, err := p.verifier.Initiate(c.Request.Context(), call.Caller, call.Step.Login, choice)
	if err != nil {
		d := mfaPage{Sending: page.Sending{Pause: page.PauseOf(err)}} // an earlier code stays valid
		p.retry(c, call, err, func(code int, a *page.Alert) { p.showMFA(c, call, code, d, choice, a) })
		return
	}
	page.Redirect(c, wayPath(call, choice))
}

func (p *Pages) showMFA(c *gin.Context, call signin.Call, code int, d mfaPage, choice exchange.Choice, a *page.Alert) {
	all := optionsOf(call.Step.Options, call.Step.Account)
	if i := chosen(all, choice); i >= 0 {
		d.Way, d.Others = &all[i], slices.Delete(slices.Clone(all), i, i+1)
	}
	d.Recovers = slices.ContainsFunc(d.Others, func(w option) bool { return w.Method == recovery.Name })
	if d.Way != nil && d.Way.Method != choice.Method {
		d.Exchange = "" // of a method that is no longer offered
	}
	if d.Way == nil && a == nil {
		code, a = http.StatusForbidden, &page.Alert{Key: "mfa.none"}
	}
	if d.Way != nil && d.Way.Sends && !p.sending(c, call, &d) {
		return
	}
	if d.Way != nil && !d.Way.Typed {
		offer, err := p.verifier.Offer(c.Request.Context(), call.Caller, call.Step.Login, exchange.Choice{Method: d.Way.Method, Usage: mfa.UsageSecond})
		if err != nil {
			p.fail(c, call, err)
			return
		}
		signal := d.Signal
		d.Ceremony = page.Asking(offer.Challenge)
		d.Signal = signal
	}
	if d.Remembers = call.Step.MayRemember(); d.Remembers {
		d.Days, d.Hours = spanOf(call.Step.Client.MFARemember.Duration())
	}
	v := p.page(c, call, d)
	v.Passkeys = d.Call != ""
	v.Alert, v.Asks = a, d.State == exchange.DeliverySending
	if d.Way != nil {
		v.Alert = v.OfMethod(a, d.Way.Method, p.verifier.AddressKind(d.Way.Method))
	}
	p.look.Write(c, code, "mfa", v)
}

// sending completes what a page says of the code it asks for. If it cannot, it has written a response.
func (p *Pages) sending(c *gin.Context, call signin.Call, d *mfaPage) bool {
	d.Method, d.To, d.Ask, d.Form, d.Ways = d.Way.Method, d.Way.Address, page.Path(deliveryPath, call.Step.Request.ID, ""), sentIn, "send.ways.none"
	if len(d.Others) > 0 {
		d.Ways = "send.ways.others"
	}
	if d.State != "" {
		return true
	}
	sent, err := p.verifier.Sent(c.Request.Context(), call.Caller, call.Step.Login,
		exchange.Choice{Method: d.Way.Method, Authenticator: d.Way.Chosen, Usage: mfa.UsageSecond})
	switch {
	case err == nil:
		d.Until = sent.ExpiresAt
		d.Exchange, d.Left, d.State, d.Pause = sent.Exchange, sent.Left, sent.Delivery, max(d.Pause, page.Seconds(sent.Pause))
	case mfa.CodeOf(err) != "":
		d.Exchange = "" // it has ended
	default:
		p.fail(c, call, err)
		return false
	}
	return true
}

// optionsOf are the authenticators to choose from. Several of one method are offered by name where
// each shows codes of its own; else the browser lets the user choose among them.
func optionsOf(options []exchange.Option, account *storage.Account) []option {
	var out []option
	count := map[string]int{}
	for _, o := range options {
		if !o.Info.Typed {
			if count[o.Method]++; count[o.Method] == 1 {
				out = append(out, option{ID: o.Method, Method: o.Method, used: lastUse(account, o.Authenticator)})
			}
			continue
		}
		w := option{ID: o.Method, Method: o.Method, Chosen: o.Authenticator, Name: o.Name, Typed: true, Numeric: o.Info.Numeric, Digits: o.Digits,
			Sends: o.Info.Sends, Address: o.Address, used: lastUse(account, o.Authenticator)}
		if count[o.Method]++; count[o.Method] > 1 {
			w.ID += "-" + strconv.Itoa(count[o.Method])
		}
		out = append(out, w)
	}
	return out
}

func lastUse(a *storage.Account, id storage.AuthenticatorID) time.Time {
	if a == nil {
		return time.Time{}
	}
	i := slices.IndexFunc(a.Authenticators, func(x storage.Authenticator) bool { return x.ID == id })
	if i < 0 {
		return time.Time{}
	}
	return a.Authenticators[i].LastUsedAt
}

// chosen returns the index of the option to show: the chosen one; else the one last used of
// the chosen method, or of the first one offered.
func chosen(all []option, choice exchange.Choice) int {
	if i := slices.IndexFunc(all, func(w option) bool { return w.Method == choice.Method && w.Chosen == choice.Authenticator }); i >= 0 {
		return i
	}
	best := slices.IndexFunc(all, func(w option) bool { return w.Method == choice.Method })
	if best < 0 && len(all) > 0 {
		best = 0
	}
	for i, w := range all {
		if w.Method == all[best].Method && w.used.After(all[best].used) {
			best = i
		}
	}
	return best
}

// spanOf returns a time in whole days or, if it is none, in hours, rounded up.
func spanOf(d time.Duration) (days, hours int) {
	const day = 24 * time.Hour
	if d%day == 0 {
		return int(d / day), 0
	}
	return 0, int((d + time.Hour - 1) / time.Hour)
}
