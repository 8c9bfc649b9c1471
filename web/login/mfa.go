package login

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
)

// way is one authenticator a person may choose on the page of the second factor.
type way struct {
	ID      string // of its link: the method, with a number from the second of its kind on
	Method  string
	Chosen  storage.AuthenticatorID // "": any of the method
	Name    string                  // what the user calls it
	Numeric bool
	used    time.Time
}

// mfaPage is the data of the page that asks for a second factor.
type mfaPage struct {
	Way      *way // nil: none is left that could be used
	Others   []way
	Exchange storage.ExchangeID // of the try that goes on; "": the first
}

func (p *Pages) mfaForm(c *gin.Context) {
	if t, ok := p.at(c, provider.StepVerify, ""); ok {
		p.showMFA(c, t, http.StatusOK, mfaPage{}, choiceOf(c.Query), notice(c))
	}
}

// choiceOf reads which way was chosen, from an address or a form.
func choiceOf(get func(string) string) exchange.Choice {
	return exchange.Choice{Method: get("method"), Authenticator: storage.AuthenticatorID(get("authenticator")), Usage: mfa.UsageSecond}
}

func (p *Pages) mfa(c *gin.Context) {
	t, ok := p.at(c, provider.StepVerify, "")
	if !ok {
		return
	}
	choice := choiceOf(c.PostForm)
	exchange, err := p.verifier.Prove(c.Request.Context(), t.visit, t.step.Proving, choice, storage.ExchangeID(c.PostForm("exchange")), codeOf(c))
	if err != nil {
		p.retry(c, t, err, func(code int, a *page.Alert) { p.showMFA(c, t, code, mfaPage{Exchange: exchange}, choice, a) })
		return
	}
	p.advance(c)
}

func (p *Pages) showMFA(c *gin.Context, t turn, code int, d mfaPage, choice exchange.Choice, a *page.Alert) {
	all := ways(t.step.Options, t.step.Account)
	if i := chosen(all, choice); i >= 0 {
		d.Way, d.Others = &all[i], slices.Delete(slices.Clone(all), i, i+1)
	}
	if d.Way != nil && d.Way.Method != choice.Method {
		d.Exchange = "" // it belongs to a method that is not offered any more
	}
	if d.Way == nil && a == nil {
		code, a = http.StatusForbidden, &page.Alert{Key: "mfa.none"}
	}
	v := p.page(c, t, d)
	v.Alert = a
	p.look.Write(c, code, "mfa", v)
}

// ways are the authenticators on offer whose answer is typed. Of a method that has
// several each is offered by its name, because each shows codes of its own.
func ways(options []exchange.Option, account *storage.Account) []way {
	var out []way
	count := map[string]int{}
	for _, o := range options {
		if !o.Info.Typed {
			continue
		}
		w := way{ID: o.Method, Method: o.Method, Chosen: o.Authenticator, Name: o.Name, Numeric: o.Info.Numeric, used: lastUse(account, o.Authenticator)}
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

// chosen finds the way to show: the chosen one; else, among those of the chosen method,
// or of the method that is offered first, the one used last.
func chosen(all []way, choice exchange.Choice) int {
	if i := slices.IndexFunc(all, func(w way) bool { return w.Method == choice.Method && w.Chosen == choice.Authenticator }); i >= 0 {
		return i
	}
	best := slices.IndexFunc(all, func(w way) bool { return w.Method == choice.Method })
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

func withoutSpaces(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
}
