package api

import (
	"encoding/json"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/signup"
	"sallyport/mfa/ticket"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/jsonbody"
)

// signUpBody is there where people can sign up for the application. What follows Requested is in the
// response to a typed code.
type signUpBody struct {
	Requested bool       `json:"requested"` // the application sent the person to sign up (prompt=create)
	Token     string     `json:"signup_token,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Email     string     `json:"email,omitempty"`
	Claims    []claim    `json:"claims,omitempty"`
	Terms     *terms     `json:"terms,omitempty"`
	Methods   []string   `json:"methods,omitempty"`
	Passkey   *creation  `json:"passkey,omitempty"`
}

type claim struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
	Value    string `json:"value,omitempty"`
}

type terms struct {
	URL     string `json:"url"`
	Version string `json:"version"`
}

type creation struct {
	State   string          `json:"state"`
	Options json.RawMessage `json:"options"`
}

// WithSignUps returns the surface with the calls for people who have no account; nil: nobody can
// sign up.
func (s *Surface) WithSignUps(u *signup.SignUps) *Surface {
	with := *s
	with.signups = u
	return &with
}

// signsUp reports whether people can sign up at a step.
func (s *Surface) signsUp(st provider.Step) bool {
	return st.Kind == provider.StepIdentify && st.Request.Subject == "" && s.signups != nil && s.signups.Mode(st.Client) != signup.Off
}

// atSignUp reads a login whose user may have no account yet.
func (s *Surface) atSignUp(c *gin.Context, in *jsonbody.Object) (loginCall, bool) {
	call, ok := s.at(c, in, provider.StepIdentify, provider.Ask{})
	if ok && !s.signsUp(call.Step) {
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured}, "")
		ok = false
	}
	return call, ok
}

// signUp requests a message to an address. The response is the same whoever has it.
func (s *Surface) signUp(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	address := in.Required("email")
	call, ok := s.atSignUp(c, in)
	if !ok {
		return
	}
	if err := s.signups.Ask(c.Request.Context(), call.Caller, address, returnOf(call)); err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, nil)
}

// returnOf is what a message leads back to.
func returnOf(call loginCall) ticket.Return {
	return ticket.Return{Client: call.Step.Client.ID, Request: call.named}
}

// signUpCode takes the code of a message, and returns what to ask its reader for.
func (s *Surface) signUpCode(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	address, passcode := in.Required("email"), in.Required("passcode")
	call, ok := s.atSignUp(c, in)
	if !ok {
		return
	}
	o, err := s.signups.Guess(c.Request.Context(), call.Caller, address, passcode, returnOf(call))
	if err == nil && o.Return.Client != call.Step.Client.ID {
		err = &mfa.Error{Code: mfa.InvalidPasscode} // another application's, in the same browser
	}
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, func(b *stepBody) { b.SignUp.opened(o) })
}

// opened adds what a proven address is asked for.
func (b *signUpBody) opened(o signup.Opened) {
	expires := o.ExpiresAt.UTC()
	b.Token, b.Email, b.ExpiresAt, b.Methods = o.Link, o.Name, &expires, o.Methods
	for _, f := range o.Fields {
		b.Claims = append(b.Claims, claim{f.Name, f.Required, f.Value})
	}
	if o.Terms.Version != "" {
		b.Terms = &terms{o.Terms.URL, o.Terms.Version}
	}
}

// openedSignUp is a call of a person who has proven an address.
type openedSignUp struct {
	loginCall
	opened signup.Opened
	filled signup.Acceptance
}

// signingUp reads a call with a signup_token, and what was filled in.
func (s *Surface) signingUp(c *gin.Context, in *jsonbody.Object) (openedSignUp, bool) {
	token, a := in.Required("signup_token"), signup.Acceptance{Terms: in.Text("terms_version"), Values: map[string]string{}}
	if filled := in.Object("claims"); filled != nil {
		for _, name := range storage.SignUpClaims() {
			a.Values[name] = filled.Text(name)
		}
	}
	call, ok := s.atSignUp(c, in)
	if !ok {
		return openedSignUp{}, false
	}
	o, err := s.signups.Open(c.Request.Context(), signup.Purpose, token)
	if err == nil && o.Return.Client != call.Step.Client.ID {
		err = &mfa.Error{Code: mfa.InvalidExchange} // its terms and claims are another application's
	}
	if err != nil {
		s.fail(c, err, "")
		return openedSignUp{}, false
	}
	return openedSignUp{loginCall: call, opened: o, filled: a}, true
}

// signUpPasskey asks for a passkey in place of a password.
func (s *Surface) signUpPasskey(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	u, ok := s.signingUp(c, in)
	if !ok {
		return
	}
	asked, err := signup.Creation{}, s.signups.Check(u.opened, u.filled)
	if err == nil {
		asked, err = s.signups.Begin(c.Request.Context(), u.opened)
	}
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, u.loginCall, func(b *stepBody) {
		b.SignUp.opened(u.opened)
		b.SignUp.Passkey = &creation{asked.State, asked.Options}
	})
}

// signUpCreate makes the person a user. The login goes on with the password or passkey, which this
// call has set up, as with a factor that was proven in it (docs/decisions/0135).
func (s *Surface) signUpCreate(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	state, plain, response := in.Text("passkey_state"), "", mfa.Response(nil)
	if state != "" {
		if response = objectOf(in, "response"); response == nil {
			in.Fault("response", "is required")
		}
	} else {
		plain = in.Required("new_password")
	}
	u, ok := s.signingUp(c, in)
	if !ok {
		return
	}
	u.filled.Creation, u.filled.Response, u.filled.Password = state, response, plain
	done, err := s.signups.Accept(c.Request.Context(), u.Caller, u.opened, u.filled)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	// From here on the account exists, whatever the login says.
	call, err := s.next(c, u.loginCall, provider.Ask{Request: u.named, Identifier: done.Name})
	if err == nil && call.Step.Kind == provider.StepIdentify {
		if err = s.verifier.Registered(c.Request.Context(), call.Caller, call.Step.Login, done.Authenticator, done.Proof); err == nil {
			s.onward(c, call)
			return
		}
	}
	s.show(c, u.loginCall, nil)
}
