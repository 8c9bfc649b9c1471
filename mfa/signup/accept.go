package signup

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/password"
	"sallyport/mfa/ticket"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// passkeyUse is the seal purpose of a passkey that is being set up. The row is the ticket's ID.
const passkeyUse = "sign up passkey"

// passkeyLife is how long the device of a passkey may take.
const passkeyLife = 10 * time.Minute

// Acceptance is what a person fills in, with a Password, or with the Response of a device to the
// options of a Creation.
type Acceptance struct {
	Values   map[string]string // by claim
	Terms    string            // version of the terms that are accepted; "": none
	Password string
	Creation string // Creation.State
	Response mfa.Response
}

// Creation is a passkey that a device is asked for. Nothing is stored for it.
type Creation struct {
	Options json.RawMessage // creation options of WebAuthn
	State   string          // sealed, to come back with the response
}

// Accepted is a user who has just signed up.
type Accepted struct {
	Return        ticket.Return
	Name          string
	User          storage.UserID
	Authenticator storage.AuthenticatorID
	Proof         mfa.Proof // what the creation of a passkey showed; zero with a password
	SameBrowser   bool      // the user accepted in the browser that began the sign-up
}

// creation is the sealed state of a Creation.
type creation struct {
	User    storage.UserID  `json:"user"`
	Data    json.RawMessage `json:"data"`
	Expires time.Time       `json:"expires"`
}

// Check returns the fault of what was filled in, except for the password: a mfa.ClaimError, or
// TermsRequired.
func (s *SignUps) Check(o Opened, a Acceptance) error {
	_, err := s.profile(o, a)
	return err
}

func (s *SignUps) profile(o Opened, a Acceptance) (map[string]any, error) {
	out := map[string]any{}
	for _, f := range o.Fields {
		value := strings.TrimSpace(a.Values[f.Name])
		if f.Required && value == "" || !mfa.ValidClaim(f.Name, value, s.now()) {
			return nil, &mfa.ClaimError{Claim: f.Name}
		}
		if value != "" {
			out[f.Name] = value
		}
	}
	// The version that was shown: newer terms must not be accepted unseen.
	if o.Terms.Version != "" && a.Terms != o.Terms.Version {
		return nil, &mfa.Error{Code: mfa.TermsRequired}
	}
	return out, nil
}

// Begin asks for a passkey. NotConfigured: there are none, or the client does not allow them.
func (s *SignUps) Begin(ctx context.Context, o Opened) (Creation, error) {
	if !slices.Contains(o.Methods, s.passkey()) {
		return Creation{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	account := s.account(o)
	x, handout, err := s.o.Passkeys.Enroll(ctx, mfa.Holder{Account: account, Label: o.Name})
	if err != nil {
		return Creation{}, fmt.Errorf("begin passkey: %w", err)
	}
	text, err := json.Marshal(creation{User: account.User.ID, Data: x.Data, Expires: s.now().Add(passkeyLife)})
	if err != nil {
		return Creation{}, fmt.Errorf("write passkey: %w", err)
	}
	sealed, err := s.keyring.Seal(passkeyUse, string(o.ticket.ID), text)
	if err != nil {
		return Creation{}, fmt.Errorf("seal passkey: %w", err)
	}
	return Creation{Options: handout.Options, State: base64.RawURLEncoding.EncodeToString(sealed)}, nil
}

// account returns the user that o makes active, without factors: those of before end.
func (s *SignUps) account(o Opened) storage.Account {
	a := storage.Account{User: storage.User{ID: o.address.UserID, Status: storage.UserActive}, Identifiers: []storage.Identifier{o.address}}
	if o.pending != nil {
		a.User.Profile = o.pending.User.Profile
	}
	return a
}

// Accept makes the reader of a link a user. It returns the errors of Check and of
// password.Method.Check, EnrollmentExpired for a passkey that took too long, InvalidPasscode and
// AlreadyEnrolled for one that is not right or belongs to another user, NotConfigured for what is not
// among the Methods of o, and InvalidExchange if the link is not valid any more.
func (s *SignUps) Accept(ctx context.Context, caller mfa.Caller, o Opened, a Acceptance) (Accepted, error) {
	out := Accepted{Return: o.Return, Name: o.Name, User: o.address.UserID, SameBrowser: o.Purpose == Purpose && sameBrowser(caller, o.asker)}
	profile, err := s.profile(o, a)
	if err != nil {
		return out, err
	}
	method := password.Name
	if a.Creation != "" {
		method = s.passkey()
	}
	if !slices.Contains(o.Methods, method) {
		return out, &mfa.Error{Code: mfa.NotConfigured}
	}
	u := users.SignUp{Address: o.address, Pending: o.pending, Profile: profile, Password: a.Password,
		Ticket: storage.TicketSpend{ID: o.ticket.ID, Purpose: o.Purpose}}
	if o.Purpose == Purpose {
		u.Ticket.Address = o.address.Value
	}
	if o.Terms.Version != "" {
		u.Terms = storage.Terms{Client: o.Terms.Client, URL: o.Terms.URL, Version: o.Terms.Version, AcceptedAt: s.now().Truncate(time.Microsecond)}
	}
	for _, i := range o.over {
		u.Over = append(u.Over, i.ID)
		u.Events = append(u.Events, s.journal.Event(mfa.Caller{CorrelationID: caller.CorrelationID, Actor: "system"}, storage.Event{Kind: mfa.EventAddressRemoved,
			UserID: i.UserID, Detail: map[string]string{"kind": string(i.Kind), "reason": "proven by another user"}}))
	}
	if a.Creation != "" {
		x, proof, err := s.created(ctx, o, a)
		if err != nil {
			return out, err
		}
		u.Passkey, out.Proof = &x, proof
	}
	x, err := s.joiner.SignUp(ctx, caller, u)
	out.Authenticator = x.ID
	return out, err
}

// created checks the response of a device that was asked for a passkey.
func (s *SignUps) created(ctx context.Context, o Opened, a Acceptance) (storage.Authenticator, mfa.Proof, error) {
	late, account := &mfa.Error{Code: mfa.EnrollmentExpired}, s.account(o)
	sealed, err := base64.RawURLEncoding.DecodeString(a.Creation)
	if err != nil {
		return storage.Authenticator{}, mfa.Proof{}, late
	}
	var c creation
	text, err := s.keyring.Open(passkeyUse, string(o.ticket.ID), sealed)
	if err != nil || json.Unmarshal(text, &c) != nil || c.User != account.User.ID || !s.now().Before(c.Expires) {
		return storage.Authenticator{}, mfa.Proof{}, late
	}
	x := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(s.random)), UserID: c.User, Method: s.o.Passkeys.Info().Name,
		State: storage.AuthenticatorPending, Data: c.Data}
	account.Authenticators = []storage.Authenticator{x}
	proof, err := s.o.Passkeys.Finish(ctx, mfa.Attempt{Account: &account, Authenticator: &x, Usage: mfa.UsageEnroll, Now: s.now()}, nil, a.Response)
	if err != nil {
		return storage.Authenticator{}, mfa.Proof{}, err
	}
	x.Secret, x.Data, x.Credential, x.Counter = proof.Spend.Secret, proof.Spend.Data, proof.Spend.Credential, proof.Spend.Step
	return x, proof, nil
}
