package api

import (
	"github.com/gin-gonic/gin"

	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
)

// enroll begins an enrolment: it returns the secret for the app, once, or sends a code to an
// address.
func (s *Surface) enroll(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	n := exchange.NewFactor{Method: in.Required("method"), Name: in.Text("name"), Address: in.Text("address"), Code: in.Text("enrollment_code")}
	if s.verifier.AddressKind(n.Method) != "" {
		in.Required("address")
	}
	call, ok := s.at(c, in, provider.StepEnroll, provider.Ask{})
	if !ok {
		return
	}
	enrollment, err := s.verifier.Enroll(c.Request.Context(), call.Caller, s.verifier.InLogin(call.Step.Login), n)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, func(b *stepBody) {
		if b.Enrollment = enrollmentOf(enrollment); enrollment.Address != "" {
			b.Delivery = exchange.DeliverySending
		}
	})
}

// mailCode mails the enrollment code that an enrolment demands after a reset of the factors.
func (s *Surface) mailCode(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	call, ok := s.at(c, in, provider.StepEnroll, provider.Ask{})
	if !ok {
		return
	}
	if err := s.verifier.MailEnrollmentCode(c.Request.Context(), call.Caller, s.verifier.InLogin(call.Step.Login)); err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, nil)
}

// confirm takes the first code of a new authenticator, or the passkey that was created.
func (s *Surface) confirm(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	exchange, r := storage.ExchangeID(in.Required("exchange_id")), responseOf(in)
	call, ok := s.at(c, in, provider.StepEnroll, provider.Ask{})
	if !ok {
		return
	}
	if _, err := s.verifier.Confirm(c.Request.Context(), call.Caller, s.verifier.InLogin(call.Step.Login), exchange, r); err != nil {
		s.fail(c, err, "")
		return
	}
	s.onward(c, call)
}

// delivery returns whether the code of an exchange was sent. It changes nothing.
func (s *Surface) delivery(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	id := storage.ExchangeID(in.Required("exchange_id"))
	call, ok := s.at(c, in, "", provider.Ask{})
	if !ok {
		return
	}
	state, err := s.verifier.DeliveryIn(c.Request.Context(), call.Caller, s.verifier.InLogin(call.Step.Login), id)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, func(b *stepBody) { b.Delivery = state })
}
