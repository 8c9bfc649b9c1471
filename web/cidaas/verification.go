package cidaas

import (
	"encoding/json"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/signin"
)

// medium is one authenticator of a list.
type medium struct {
	ID       storage.AuthenticatorID `json:"id"`
	Text     string                  `json:"text"`
	Friendly string                  `json:"friendly_name,omitempty"`
	Verified bool                    `json:"verified"`
}

// configuredType is one method of a list, with its authenticators.
type configuredType struct {
	Type    string   `json:"type"`
	Mediums []medium `json:"mediums"`
}

// listed returns the methods of a step. In place of a password a passkey is in every list, as on the
// login page: a list with those of users who have one would say which names exist.
func (s *Surface) listed(st provider.Step) []configuredType {
	out := listed(st.Options)
	if st.Kind != provider.StepIdentify {
		return out
	}
	if method := signin.Challenged(st, s.verifier.Info); method != "" {
		name := wireName(method)
		out = append(out, configuredType{name, []medium{{ID: storage.AuthenticatorID(name), Text: name, Verified: true}}})
	}
	return out
}

// listed groups options by method, and keeps their order.
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

// textOf is the name of an authenticator, or that of its method.
func textOf(text, method string) string {
	if text == method {
		return wireName(method)
	}
	return text
}

// body reads a JSON body; it refuses a call with a faulty one.
func (s *Surface) body(c *gin.Context) (*input, bool) {
	in, f := read(c, false)
	if f != nil {
		s.refuse(c, *f, "VER_0004")
	}
	return in, f == nil
}

// wellTyped reports whether all members that were read are strings; if not, it refuses the
// call.
func (s *Surface) wellTyped(c *gin.Context, in *input) bool {
	if !in.faulty() {
		return true
	}
	s.refuse(c, malformed, "VER_0004")
	return false
}

// list returns the methods of a user. For an identifier without a user it returns those of
// a decoy.
func (s *Surface) list(c *gin.Context) {
	call, ok := s.about(c)
	if !ok {
		return
	}
	succeed(c, struct {
		List []configuredType `json:"configured_list"`
	}{s.listed(call.Step)})
}

// check returns the same for one method.
func (s *Surface) check(c *gin.Context) {
	call, ok := s.about(c)
	if !ok {
		return
	}
	name := c.Param("method")
	for _, found := range s.listed(call.Step) {
		if strings.EqualFold(found.Type, name) {
			succeed(c, found)
			return
		}
	}
	s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
}

// about reads the login and the user that a list is for.
func (s *Surface) about(c *gin.Context) (signin.Call, bool) {
	in, ok := s.body(c)
	if !ok {
		return signin.Call{}, false
	}
	request, name, sub := in.request(), in.identifier(), in.masked()
	if !s.wellTyped(c, in) {
		return signin.Call{}, false
	}
	call, err := s.open(c, provider.Ask{Request: request, Sub: sub, Identifier: name, Lists: true})
	if err == nil {
		err = s.agrees(call, sub, name)
	}
	if err != nil {
		s.fail(c, err)
		return call, false
	}
	if name == "" && sub == "" {
		s.badRequest(c, "identifier", "an identifier or sub is required", "VER_0005")
		return call, false
	}
	return call, true
}

// choice reads the method and usage of a call, or refuses it.
func (s *Surface) choice(c *gin.Context, in *input) (exchange.Choice, bool) {
	name, kind, wanted := c.Param("method"), in.Text("type"), in.Text("medium_id")
	if !s.wellTyped(c, in) {
		return exchange.Choice{}, false
	}
	method := s.method(name)
	if method == "" {
		s.noMethod(c)
		return exchange.Choice{}, false
	}
	if kind != "" && !strings.EqualFold(kind, name) {
		s.badRequest(c, "type", "type is not the one of the address", "VER_0004")
		return exchange.Choice{}, false
	}
	if strings.EqualFold(in.Text("processingType"), "LINK") {
		s.badRequest(c, "processingType", "processingType must be CODE", "VER_0004")
		return exchange.Choice{}, false
	}
	usage, ok := s.usage(in.Text("usage_type"), method)
	if !ok || in.faulty() {
		s.badRequest(c, "usage_type", "invalid usage_type", "VER_0004")
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

// initiate begins an attempt. Older pages name the user, newer ones only the medium they
// chose from a list.
func (s *Surface) initiate(c *gin.Context) {
	in, ok := s.body(c)
	if !ok {
		return
	}
	chosen, ok := s.choice(c, in)
	if !ok {
		return
	}
	request, name, sub := in.request(), in.identifier(), in.masked()
	if !s.wellTyped(c, in) {
		return
	}
	call, err := s.open(c, provider.Ask{Request: request, Sub: sub, Identifier: name, Named: chosen})
	if err == nil {
		err = s.agrees(call, sub, name)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if !s.challenged(c, call) {
		return
	}
	if call.Step.Request.Subject == "" && call.Step.Login.Identifier == "" && call.Step.Account == nil && !s.identifies(chosen, sub) {
		// A masked subject alone identifies no user before the first factor.
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
		return
	}
	initiation, err := s.verifier.Initiate(c.Request.Context(), call.Caller, call.Step.Login, chosen)
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Exchange exchangeBody     `json:"exchange_id"`
		Text     string           `json:"medium_text"`
		Sub      string           `json:"sub"`
		Status   storage.StatusID `json:"status_id"`
		FIDO2    *fido2Entity     `json:"fido2_entity,omitempty"`
	}{exchangeOf(initiation.Exchange, initiation.ExpiresAt), textOf(initiation.Text, chosen.Method), initiation.Sub, initiation.Status,
		fido2Of(json.RawMessage(initiation.Challenge), initiation.Status)})
}

// verifiedBody is the response to a correct code.
type verifiedBody struct {
	Exchange exchangeBody     `json:"exchange_id"`
	Sub      string           `json:"sub"`
	Status   storage.StatusID `json:"status_id"`
	Enrolled bool             `json:"enrolled,omitempty"`
}

func verified(v exchange.Verified) verifiedBody {
	return verifiedBody{Exchange: exchangeOf(v.Exchange, v.ExpiresAt), Sub: v.Sub, Status: v.Status}
}

// typed reads the response to an exchange. It refuses a call with a missing or malformed
// member; that does not count as an attempt.
func (s *Surface) typed(c *gin.Context) (exchange.Answer, bool) {
	in, ok := s.body(c)
	if !ok {
		return exchange.Answer{}, false
	}
	a := exchange.Answer{Exchange: id[storage.ExchangeID](in.Text("exchange_id")), Method: s.method(c.Param("method")),
		Request: in.request(), Sub: in.masked()}
	code, signed := in.first("pass_code", "passcode", "password"), fido2Response(in)
	info, _ := s.verifier.Info(a.Method)
	kind := in.first("type", "verification_type")
	switch {
	case !s.wellTyped(c, in):
	case a.Method == "":
		s.noMethod(c)
	case a.Exchange == "":
		s.badRequest(c, "exchange_id", "exchange_id is required", "VER_0005")
	case info.Challenged && signed == nil:
		s.badRequest(c, "fido2_client_response", "fido2_client_response is required", "VER_0046")
	case !info.Challenged && code == "":
		s.badRequest(c, "pass_code", "pass_code is required", "VER_0046")
	case kind != "" && s.method(kind) != a.Method:
		s.fail(c, &mfa.Error{Code: mfa.InvalidExchange})
	default:
		if a.Response = mfa.Typed(code); info.Challenged {
			a.Response = signed
		}
		return a, true
	}
	return a, false
}

// verify takes the response to an exchange. All else that the call names must agree with
// the exchange.
func (s *Surface) verify(c *gin.Context) {
	a, ok := s.typed(c)
	if !ok {
		return
	}
	caller := s.caller(c)
	a.Authorize = s.mayContinue(c, caller)
	v, err := s.verifier.Verify(c.Request.Context(), caller, a)
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, verified(v))
}

// cancel ends an attempt or an enrolment.
func (s *Surface) cancel(c *gin.Context) {
	in, ok := s.body(c)
	if !ok {
		return
	}
	exchangeID, reason := id[storage.ExchangeID](in.Text("exchange_id")), in.Text("reason")
	if !s.wellTyped(c, in) {
		return
	}
	if exchangeID == "" || strings.TrimSpace(reason) == "" {
		s.badRequest(c, "exchange_id", "exchange_id and reason are required", "VER_0005")
		return
	}
	caller := s.caller(c)
	ended, err := s.verifier.Cancel(c.Request.Context(), caller,
		exchange.Answer{Exchange: exchangeID, Method: s.method(c.Param("method")), Authorize: s.mayContinue(c, caller)})
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Status storage.StatusID `json:"status_id"`
	}{ended})
}
