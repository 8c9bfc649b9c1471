package api

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/jsonbody"
	"sallyport/web/signin"
)

// open begins a login without a browser. The body holds the parameters of an
// authorization request (RFC 6749 section 4.1.1) as strings, repeated ones as a list.
func (s *Surface) open(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	values := url.Values{}
	for name := range in.Members {
		if _, many := in.Members[name].([]any); many {
			values[name] = in.List(name)
		} else {
			values[name] = []string{in.Text(name)}
		}
	}
	if len(in.Faults) > 0 {
		s.fail(c, in.Faults, "")
		return
	}
	call := loginCall{Call: signin.Call{Caller: web.Caller(c)}}
	var err error
	if call.named, err = s.provider.Open(c.Request.Context(), values, call.Caller); err != nil {
		s.notOpened(c, err)
		return
	}
	s.showNext(c, call, provider.Ask{Request: call.named})
}

// step returns the step the login is at and changes nothing.
func (s *Surface) step(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	if call, err := s.login(c, in, provider.Ask{}); err != nil {
		s.fail(c, err, "")
	} else {
		s.show(c, call, nil)
	}
}

// identify returns the factors of a user. For a name without a user it returns those of
// a decoy, always the same.
func (s *Surface) identify(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	if call, ok := s.at(c, in, provider.StepIdentify, provider.Ask{Identifier: in.Required("identifier"), Lists: true}); ok {
		s.show(c, call, nil)
	}
}

// password takes a name and its password. The owner of a login may leave the name out
// when the password is required again.
func (s *Surface) password(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	password := in.Required("password")
	call, ok := s.at(c, in, provider.StepIdentify, provider.Ask{Identifier: in.Text("identifier")})
	if !ok {
		return
	}
	if err := s.verifier.Password(c.Request.Context(), call.Caller, call.Step.Login, password); err != nil {
		s.fail(c, err, "")
		return
	}
	s.onward(c, call)
}

// choice reads the method a caller chose and its usage: a second factor or, before a user
// is identified, one that replaces the password.
func (s *Surface) choice(in *jsonbody.Object, call loginCall) (exchange.Choice, error) {
	ch := exchange.Choice{Method: in.Text("method"), Authenticator: storage.AuthenticatorID(in.Text("authenticator_id")), Usage: in.Text("usage")}
	switch i, _ := s.verifier.Info(ch.Method); ch.Usage {
	case mfa.UsageSecond, mfa.UsagePasswordless:
	case mfa.UsageFirst:
		if i.Typed {
			return ch, &mfa.Error{Code: mfa.InvalidRequest} // passwords have a call of their own
		}
	case "":
		ch.Usage = usageOf(call.Step)
	default:
		return ch, &mfa.Error{Code: mfa.InvalidRequest}
	}
	return ch, nil
}

// proving is the part that initiate and verify share: both need a step that asks for a
// factor.
func (s *Surface) proving(c *gin.Context, in *jsonbody.Object) (loginCall, exchange.Choice, bool) {
	for _, name := range []string{"authenticator_id", "usage"} {
		in.Text(name)
	}
	in.Required("method")
	call, ok := s.at(c, in, "", provider.Ask{Identifier: in.Text("identifier")})
	if !ok {
		return call, exchange.Choice{}, false
	}
	ch, err := s.choice(in, call)
	if err == nil && call.Step.Kind != provider.StepVerify && call.Step.Kind != provider.StepIdentify {
		err = &mfa.Error{Code: mfa.RequestChanged}
	}
	if err != nil {
		s.fail(c, err, "")
		return call, ch, false
	}
	return call, ch, true
}

// initiate begins an attempt. Only methods that first send or show something need it.
func (s *Surface) initiate(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	call, ch, ok := s.proving(c, in)
	if !ok {
		return
	}
	initiation, err := s.verifier.Initiate(c.Request.Context(), call.Caller, call.Step.Login, ch)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, func(b *stepBody) {
		b.Exchange = &exchangeBody{Exchange: initiation.Exchange, Method: ch.Method, Usage: ch.Usage, ExpiresAt: initiation.ExpiresAt.UTC().Truncate(time.Microsecond),
			Sub: initiation.Sub, Text: initiation.Text, Challenge: json.RawMessage(initiation.Challenge), Pause: seconds(initiation.Pause)}
		if i, _ := s.verifier.Info(ch.Method); i.Sends {
			b.Delivery = exchange.DeliverySending
		}
	})
}

// responseOf reads the response of a passkey, or a typed code.
func responseOf(in *jsonbody.Object) mfa.Response {
	if r := objectOf(in, "response"); r != nil {
		return r
	}
	return mfa.Typed(in.Required("passcode"))
}

// objectOf returns a member as JSON; nil: it is no object.
func objectOf(in *jsonbody.Object, name string) mfa.Response {
	if in.Object(name) == nil {
		return nil
	}
	text, err := json.Marshal(in.Members[name])
	if err != nil {
		return nil // it was read as JSON
	}
	return text
}

// verify takes a code, or the response of a passkey. Without an exchange it begins the attempt; after a wrong code the
// attempt continues under the exchange in the response.
func (s *Surface) verify(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	r, exchange := responseOf(in), storage.ExchangeID(in.Text("exchange_id"))
	remember := in.Flag("remember")
	call, ch, ok := s.proving(c, in)
	if !ok {
		return
	}
	login, cookie := call.Step.Login, ""
	if remember {
		login, cookie = s.provider.Remember(call.Step, call.Caller, login)
	}
	again, err := s.verifier.Prove(c.Request.Context(), call.Caller, login, ch, exchange, r)
	if err != nil {
		s.fail(c, err, again)
		return
	}
	signin.KeepRemembered(c, cookie)
	s.onward(c, call)
}
