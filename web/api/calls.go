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
)

// open begins a login without a browser. The body holds the parameters of an
// authorization request (RFC 6749 section 4.1.1) as text; what may repeat, as a list.
func (s *Surface) open(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	values := url.Values{}
	for name := range in.members {
		values[name] = in.texts(name)
	}
	if in.wrong != "" {
		s.malformed(c, in)
		return
	}
	t := turn{visit: web.Visit(c)}
	var err error
	if t.named, err = s.provider.Open(c.Request.Context(), values, t.visit); err != nil {
		s.notOpened(c, err)
		return
	}
	if t, err = s.next(c, t, provider.Ask{Request: t.named}); err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, t, nil)
}

// step says where the login stands and changes nothing.
func (s *Surface) step(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	a := provider.Ask{Request: storage.RequestID(in.must("request_id")), Track: storage.TrackID(in.text("login_token"))}
	if in.wrong != "" {
		s.malformed(c, in)
		return
	}
	t, err := s.visit(c)
	if err == nil {
		t.named = a.Request
		t, err = s.next(c, t, a)
	}
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, t, nil)
}

// identify says what a name could be proven with. Of a name nobody has it says it too:
// invented, and always the same.
func (s *Surface) identify(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	if t, ok := s.asking(c, in, provider.StepIdentify, provider.Ask{Identifier: in.must("identifier"), Lists: true}); ok {
		s.show(c, t, nil)
	}
}

// password takes a name and its password. The owner of a login may leave the name out
// where the password is asked for again.
func (s *Surface) password(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	password := in.must("password")
	t, ok := s.at(c, in, provider.StepIdentify, in.text("identifier"))
	if !ok {
		return
	}
	if err := s.verifier.Login(c.Request.Context(), t.visit, t.step.Proving, password); err != nil {
		s.fail(c, err, "")
		return
	}
	s.onward(c, t)
}

// choice reads which method is meant, and for what: a second factor, or, where nobody
// is identified yet, one that stands in for the password.
func choice(in *input, t turn) (exchange.Choice, error) {
	ch := exchange.Choice{Method: in.text("method"), Authenticator: storage.AuthenticatorID(in.text("authenticator_id")), Usage: in.text("usage")}
	switch ch.Usage {
	case mfa.UsageSecond, mfa.UsagePasswordless:
	case "":
		ch.Usage = usageOf(t.step)
	default:
		return ch, &mfa.Error{Code: mfa.InvalidRequest}
	}
	return ch, nil
}

// proving is the part that initiate and verify share: both go where a factor is asked for.
func (s *Surface) proving(c *gin.Context, in *input) (turn, exchange.Choice, bool) {
	for _, name := range []string{"authenticator_id", "usage"} {
		in.text(name)
	}
	in.must("method")
	t, ok := s.at(c, in, "", in.text("identifier"))
	if !ok {
		return t, exchange.Choice{}, false
	}
	ch, err := choice(in, t)
	if err == nil && t.step.Kind != provider.StepVerify && t.step.Kind != provider.StepIdentify {
		err = &mfa.Error{Code: mfa.RequestChanged}
	}
	if err != nil {
		s.fail(c, err, "")
		return t, ch, false
	}
	return t, ch, true
}

// initiate begins a try: needed where something is sent or shown first, allowed always.
func (s *Surface) initiate(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	t, ch, ok := s.proving(c, in)
	if !ok {
		return
	}
	begun, err := s.verifier.Initiate(c.Request.Context(), t.visit, t.step.Proving, ch)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, t, func(b *stepBody) {
		b.Exchange = &exchangeBody{Exchange: begun.Exchange, Method: ch.Method, Usage: ch.Usage, ExpiresAt: begun.ExpiresAt.UTC().Truncate(time.Microsecond),
			Sub: begun.Sub, Text: begun.Text, Challenge: json.RawMessage(begun.Challenge)}
	})
}

// verify takes a code. Without an exchange the try begins with it; a wrong one may be
// followed by others under the exchange the answer names.
func (s *Surface) verify(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	passcode, exchange := in.must("passcode"), storage.ExchangeID(in.text("exchange_id"))
	t, ch, ok := s.proving(c, in)
	if !ok {
		return
	}
	again, err := s.verifier.Prove(c.Request.Context(), t.visit, t.step.Proving, ch, exchange, mfa.Typed(passcode))
	if err != nil {
		s.fail(c, err, again)
		return
	}
	s.onward(c, t)
}

// enroll begins an enrolment and hands out what an app must know, once.
func (s *Surface) enroll(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	method, name := in.must("method"), in.text("name")
	t, ok := s.at(c, in, provider.StepEnroll, "")
	if !ok {
		return
	}
	begun, err := s.verifier.BeginEnrollment(c.Request.Context(), t.visit, t.step.Proving, method, name)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, t, func(b *stepBody) { b.Enrollment = handed(begun) })
}

// confirm takes the first code of a new authenticator.
func (s *Surface) confirm(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	exchange, passcode := storage.ExchangeID(in.must("exchange_id")), in.must("passcode")
	t, ok := s.at(c, in, provider.StepEnroll, "")
	if !ok {
		return
	}
	if err := s.verifier.ConfirmEnrollment(c.Request.Context(), t.visit, t.step.Proving, exchange, mfa.Typed(passcode)); err != nil {
		s.fail(c, err, "")
		return
	}
	s.onward(c, t)
}
