package cidaas

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
)

// medium is one authenticator of a list.
type medium struct {
	ID       storage.AuthenticatorID `json:"id"`
	Text     string                  `json:"text"`
	Friendly string                  `json:"friendly_name,omitempty"`
	Verified bool                    `json:"verified"`
}

// configuredType is one method of a list, with the authenticators of it.
type configuredType struct {
	Type    string   `json:"type"`
	Mediums []medium `json:"mediums"`
}

// listed groups what can be chosen by method, in the order of both.
func listed(options []exchange.Option) []configuredType {
	out := []configuredType{}
	for _, o := range options {
		name := wireName(o.Method)
		if len(out) == 0 || out[len(out)-1].Type != name {
			out = append(out, configuredType{Type: name})
		}
		last := &out[len(out)-1]
		last.Mediums = append(last.Mediums, medium{o.Authenticator, textOf(o.Text, o.Method), o.Name, true})
	}
	return out
}

// textOf is what tells an authenticator apart: its name, or that of its method.
func textOf(text, method string) string {
	if text == method {
		return wireName(method)
	}
	return text
}

// read takes a JSON body; with a fault it is answered.
func (s *Surface) read(c *gin.Context) (*input, bool) {
	in, f := read(c, false)
	if f != nil {
		s.refuse(c, f, "VER_0004")
	}
	return in, f == nil
}

// judged reports whether everything asked for was text; if not it is answered.
func (s *Surface) judged(c *gin.Context, in *input) bool {
	if in.wrong == "" {
		return true
	}
	s.refuse(c, malformed, "VER_0004")
	return false
}

// missing answers a call that left something out.
func (s *Surface) lacks(c *gin.Context, text, ver string) {
	s.refuse(c, &fault{http.StatusBadRequest, text}, ver)
}

// list tells which methods a user can be verified with. It takes nothing from the
// difference between users that exist and those that do not: the latter have decoys.
func (s *Surface) list(c *gin.Context) {
	t, ok := s.about(c)
	if !ok {
		return
	}
	succeed(c, struct {
		List []configuredType `json:"configured_list"`
	}{listed(t.step.Options)})
}

// check tells the same of one method.
func (s *Surface) check(c *gin.Context) {
	t, ok := s.about(c)
	if !ok {
		return
	}
	name := c.Param("method")
	for _, found := range listed(t.step.Options) {
		if strings.EqualFold(found.Type, name) {
			succeed(c, found)
			return
		}
	}
	s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
}

// about reads the login and the user a list is asked for.
func (s *Surface) about(c *gin.Context) (turn, bool) {
	in, ok := s.read(c)
	if !ok {
		return turn{}, false
	}
	request, name, sub := in.first("request_id", "requestId"), identifier(in), masked(in)
	if !s.judged(c, in) {
		return turn{}, false
	}
	t, err := s.open(c, provider.Ask{Request: id[storage.RequestID](request), Sub: sub, Identifier: name, Lists: true})
	if err == nil {
		err = s.agrees(t, sub, name)
	}
	if err != nil {
		s.fail(c, err)
		return t, false
	}
	if name == "" && sub == "" {
		s.lacks(c, "an identifier or sub is required", "VER_0005")
		return t, false
	}
	return t, true
}

// choice reads what a call wants to try, or answers what is wrong with it.
func (s *Surface) choice(c *gin.Context, in *input) (exchange.Choice, bool) {
	name, kind, wanted := c.Param("method"), in.text("type"), in.text("medium_id")
	if !s.judged(c, in) {
		return exchange.Choice{}, false
	}
	method := s.method(name)
	if method == "" {
		s.failAs(c, &mfa.Error{Code: mfa.NotConfigured}, "VER_0030")
		return exchange.Choice{}, false
	}
	if kind != "" && !strings.EqualFold(kind, name) {
		s.lacks(c, "type is not the one of the address", "VER_0004")
		return exchange.Choice{}, false
	}
	usage, ok := s.usage(in.text("usage_type"), method)
	if !ok || in.wrong != "" {
		s.lacks(c, "invalid usage_type", "VER_0004")
		return exchange.Choice{}, false
	}
	out := exchange.Choice{Method: method, Usage: usage}
	if strings.EqualFold(wanted, name) || wanted == "" {
		return out, true // any one of the method
	}
	if out.Authenticator = id[storage.AuthenticatorID](wanted); !wellFormed(string(out.Authenticator)) {
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
		return out, false
	}
	return out, true
}

// initiate begins a try. Whom it is for, an older page says by a name, a newer one by
// nothing but the medium it chose from a list.
func (s *Surface) initiate(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	chosen, ok := s.choice(c, in)
	if !ok {
		return
	}
	request, name, sub := in.first("request_id", "requestId"), identifier(in), masked(in)
	if !s.judged(c, in) {
		return
	}
	t, err := s.open(c, provider.Ask{Request: id[storage.RequestID](request), Sub: sub, Identifier: name, Named: chosen})
	if err == nil {
		err = s.agrees(t, sub, name)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if t.step.Request.Subject == "" && t.step.Proving.Identifier == "" && t.step.Account == nil {
		// A masked subject alone leads to nobody before the first factor.
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
		return
	}
	begun, err := s.verifier.Initiate(c.Request.Context(), t.visit, t.step.Proving, chosen)
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Exchange exchangeBody     `json:"exchange_id"`
		Text     string           `json:"medium_text"`
		Sub      string           `json:"sub"`
		Status   storage.StatusID `json:"status_id"`
	}{exchangeOf(begun.Exchange, begun.ExpiresAt), textOf(begun.Text, chosen.Method), begun.Sub, begun.Status})
}

// verifiedBody is the answer to a right code.
type verifiedBody struct {
	Exchange exchangeBody     `json:"exchange_id"`
	Sub      string           `json:"sub"`
	Status   storage.StatusID `json:"status_id"`
	Enrolled bool             `json:"enrolled,omitempty"`
}

func verified(v exchange.Verified) verifiedBody {
	return verifiedBody{Exchange: exchangeOf(v.Exchange, v.ExpiresAt), Sub: v.Sub, Status: v.Status}
}

// typed reads the answer to an exchange; what is missing or malformed is answered, and
// nothing is counted for it.
func (s *Surface) typed(c *gin.Context) (exchange.Answer, bool) {
	in, ok := s.read(c)
	if !ok {
		return exchange.Answer{}, false
	}
	a := exchange.Answer{Exchange: id[storage.ExchangeID](in.text("exchange_id")), Method: s.method(c.Param("method")),
		Request: id[storage.RequestID](in.first("requestId", "request_id")), Sub: masked(in)}
	code := in.first("pass_code", "passcode", "password")
	kind := in.first("type", "verification_type")
	switch {
	case !s.judged(c, in):
	case a.Method == "":
		s.failAs(c, &mfa.Error{Code: mfa.NotConfigured}, "VER_0030")
	case a.Exchange == "":
		s.lacks(c, "exchange_id is required", "VER_0005")
	case code == "":
		s.lacks(c, "pass_code is required", "VER_0046")
	case kind != "" && s.method(kind) != a.Method:
		s.fail(c, &mfa.Error{Code: mfa.InvalidExchange})
	default:
		a.Response = mfa.Typed(code)
		return a, true
	}
	return a, false
}

// verify takes the answer. The exchange says what it is for; what else the call says
// has to agree.
func (s *Surface) verify(c *gin.Context) {
	a, ok := s.typed(c)
	if !ok {
		return
	}
	visit := s.visit(c)
	a.May = s.may(c, visit)
	v, err := s.verifier.Verify(c.Request.Context(), visit, a)
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, verified(v))
}

// cancel ends a try or an enrolment.
func (s *Surface) cancel(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	exchangeID, reason := id[storage.ExchangeID](in.text("exchange_id")), in.text("reason")
	if !s.judged(c, in) {
		return
	}
	if exchangeID == "" || strings.TrimSpace(reason) == "" {
		s.lacks(c, "exchange_id and reason are required", "VER_0005")
		return
	}
	visit := s.visit(c)
	ended, err := s.verifier.Cancel(c.Request.Context(), visit,
		exchange.Answer{Exchange: exchangeID, Method: s.method(c.Param("method")), May: s.may(c, visit)})
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Status storage.StatusID `json:"status_id"`
	}{ended})
}
