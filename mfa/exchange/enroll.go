package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// maxNameBytes limits the name of an authenticator.
const maxNameBytes = 100

// maxPerMethod limits the authenticators of a method that a user may hold, if its Info does not:
// each accepts codes, so each makes a guess likelier. With three and a window of one step, nine of a
// million codes are right: at most 9e-4 over the 100 failures that disable the factor (T-1).
const maxPerMethod = 3

// NewFactor holds the user's choices for a new authenticator.
type NewFactor struct {
	Method string
	Name   string // "": none
	Shape  mfa.Shape
	// Address is where an Addressed method is to send codes, as typed.
	Address string
	// Code is an enrollment code as typed, which EnrollmentDemand demands; "": none.
	Code    string
	Unasked bool // a passkey may be made without a gesture of the user
}

// Enrolling is an enrolment to be confirmed by a first right code.
type Enrolling struct {
	Exchange      storage.ExchangeID
	Status        storage.StatusID // "" if returned by Enrollment
	Method        string
	ExpiresAt     time.Time
	Handout       mfa.Handout
	Authenticator storage.AuthenticatorID
	Text          string
	Digits        int           // length of its codes; 0: unknown
	Address       string        // where its codes are sent, as the user named it; "": nowhere
	Pause         time.Duration // until another code can be sent; 0 if returned by Enrollment
}

// Enroll creates a pending authenticator. It returns ReauthenticationRequired without a fresh
// proof (see CheckFresh), NotConfigured, AlreadyEnrolled, InvalidRequest for the name or the
// shape and, for an address, InvalidIdentifier, AddressNotAllowed or TooManyMessages; and where
// a code is demanded EnrollmentCodeRequired without one, and the errors of a wrong code.
func (v *Verifier) Enroll(ctx context.Context, caller mfa.Caller, e Enrollee, n NewFactor) (Enrolling, error) {
	enroller, ok := v.methods[n.Method].(mfa.Enroller)
	if !ok || !enroller.Info().Enrolls || e.login != nil && !e.login.allows(v, enroller.Info()) {
		return Enrolling{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := v.checkFresh(e, 0); err != nil {
		return Enrolling{}, err
	}
	name, err := CleanName(n.Name)
	if err != nil {
		return Enrolling{}, err
	}
	account := &e.owner.Account
	if v.atLimit(*account, n.Method) {
		return Enrolling{}, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	if err := v.proveDemand(ctx, caller, e, n.Code); err != nil {
		return Enrolling{}, err
	}
	holder := holderOf(account)
	holder.Unasked, holder.Hardware = n.Unasked, e.login != nil && v.verdict(*e.login).Needed == mfa.PHRH
	a, handout, err := newAuthenticator(ctx, enroller, holder, n)
	if mfa.CodeOf(err) != "" {
		return Enrolling{}, err
	}
	if err != nil {
		return Enrolling{}, fmt.Errorf("enrol %s: %w", n.Method, err)
	}
	now := v.now()
	a.ID, a.UserID = storage.AuthenticatorID(storage.Random128(v.random)), account.User.ID
	a.Method, a.Name, a.Origin, a.State = n.Method, name, e.owner.Origin, storage.AuthenticatorPending
	a.CreatedAt, a.UpdatedAt, a.ExpiresAt = now, now, now.Add(v.o.EnrollTTL)
	stored, err := v.enrollment(ctx, caller, e, a)
	if err != nil {
		return Enrolling{}, err
	}
	stored.Events = []storage.Event{v.journal.Event(caller, e.owner.Event(mfa.EventEnrollmentStarted, n.Method, a.ID))}
	err = v.store.Enroll(ctx, stored)
	if refused, ok := errors.AsType[*storage.RefusedError](err); ok {
		return Enrolling{}, v.tooManyMessages(n.Method, refused.Refusal, now)
	}
	if errors.Is(err, storage.ErrConflict) && e.login != nil {
		return Enrolling{}, v.conflictError(*e.login, nil)
	}
	if err != nil {
		return Enrolling{}, fmt.Errorf("store enrolment: %w", err)
	}
	s := stored.Status
	pause, err := v.pause(ctx, shownKeys(stored.Sends, false), now)
	if err != nil {
		return Enrolling{}, err
	}
	return Enrolling{Exchange: s.Exchange, Status: s.ID, Method: n.Method, ExpiresAt: s.ExpiresAt, Handout: handout,
		Authenticator: a.ID, Text: v.textOf(a), Digits: v.digitsOf(a), Address: v.AddressOf(a), Pause: pause}, nil
}

// enrollment returns a pending authenticator with the status that expects its first code and,
// for an address, the message with that code.
func (v *Verifier) enrollment(ctx context.Context, caller mfa.Caller, e Enrollee, a storage.Authenticator) (storage.Enrollment, error) {
	account, out := &e.owner.Account, storage.Enrollment{Authenticator: a}
	s := storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: storage.ExchangeID(storage.Random128(v.random)),
		ClientID: e.owner.Client, UserID: a.UserID, Authenticator: a.ID, Method: a.Method, Usage: mfa.UsageEnroll,
		Browser: v.browser(caller), State: storage.StatusInitiated, CreatedAt: a.CreatedAt, ExpiresAt: a.ExpiresAt}
	data := statusData{Subject: v.subjectOf(account, "").hash, User: a.UserID}
	if demand := v.demand(account); demand != nil {
		data.Demand = demand.ID
	}
	if e.login != nil {
		s.Request = e.login.Request.ID
		data.Sub = v.maskUser(*e.login, a.UserID)
	} else {
		// Another session of the same user cannot confirm this enrolment.
		data.Session, data.Basis = e.owner.Session, v.basis(e.owner)
	}
	if m, ok := v.methods[a.Method].(mfa.Addressed); ok {
		with := *account
		with.Authenticators = append(slices.Clone(account.Authenticators), a)
		begun, err := m.Begin(ctx, mfa.Attempt{Account: &with, Authenticator: &a, Usage: mfa.UsageEnroll, Locale: caller.Locale, Now: a.CreatedAt})
		if err != nil {
			return out, err
		}
		data.State = begun.State
		if begun.Message != nil {
			data.Message, out.Messages, out.Toll = begun.Message.ID, []storage.Message{*begun.Message}, begun.Toll
			out.Sends = v.counters(caller, recipient{method: a.Method, address: begun.Message.Recipient, user: a.UserID})
		}
	}
	var err error
	if s.Data, err = json.Marshal(data); err != nil {
		return out, fmt.Errorf("write status: %w", err)
	}
	out.Status = s
	return out, nil
}

// textOf returns the label of an authenticator: its name, its masked address, or its method.
func (v *Verifier) textOf(a storage.Authenticator) string {
	if m, ok := v.methods[a.Method].(mfa.Addressed); ok && a.Name == "" {
		return mfa.MaskAddress(m.AddressOf(a))
	}
	return cmp.Or(a.Name, a.Method)
}

// Enrollment returns a pending enrolment again, and EnrollmentExpired if it has ended.
func (v *Verifier) Enrollment(ctx context.Context, caller mfa.Caller, e Enrollee, exchange storage.ExchangeID) (Enrolling, error) {
	s, a, account, err := v.pendingEnrollment(ctx, caller, e, exchange)
	if err != nil {
		return Enrolling{}, err
	}
	enroller, ok := v.methods[s.Method].(mfa.Enroller)
	if !ok {
		return Enrolling{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	h, err := enroller.Handout(*a, holderOf(account))
	if err != nil {
		return Enrolling{}, fmt.Errorf("hand out %s: %w", s.Method, err)
	}
	return Enrolling{Exchange: exchange, Method: s.Method, ExpiresAt: s.ExpiresAt, Handout: h, Authenticator: a.ID,
		Text: v.textOf(*a), Digits: v.digitsOf(*a), Address: v.AddressOf(*a)}, nil
}

// pendingEnrollment returns the pending enrolment of an exchange, with the current account.
// It returns EnrollmentExpired for one of another login, session or user.
func (v *Verifier) pendingEnrollment(ctx context.Context, caller mfa.Caller, e Enrollee, exchange storage.ExchangeID) (storage.Status, *storage.Authenticator, *storage.Account, error) {
	over := &mfa.Error{Code: mfa.EnrollmentExpired}
	s, account, err := v.findPending(ctx, caller, exchange)
	if mfa.CodeOf(err) == mfa.InvalidExchange {
		return s, nil, nil, over
	}
	if err != nil {
		return s, nil, nil, err
	}
	if s.Usage != mfa.UsageEnroll || account == nil || !account.User.In() || !v.belongsTo(e, s, account.User.ID) {
		return s, nil, nil, over
	}
	a := account.Authenticator(s.Authenticator)
	if a == nil || a.State != storage.AuthenticatorPending || !a.ExpiresAt.After(v.now()) {
		return s, nil, nil, over
	}
	return s, a, account, nil
}

// belongsTo reports whether an enrolment started in the login or session of an enrollee.
func (v *Verifier) belongsTo(e Enrollee, s storage.Status, user storage.UserID) bool {
	if e.login != nil {
		return v.ofRequest(s, e.login.Request.ID) && user == e.login.Request.Subject
	}
	return len(s.RequestHash) == 0 && user == e.owner.Account.User.ID && seal.Equal(string(v.dataOf(s).Session), string(e.owner.Session))
}

// atLimit reports whether an account holds as many authenticators of a method as it may.
func (v *Verifier) atLimit(a storage.Account, method string) bool {
	n := 0
	for _, x := range a.Authenticators {
		if x.Method == method && x.State != storage.AuthenticatorPending {
			n++
		}
	}
	i, _ := v.Info(method)
	return n >= cmp.Or(i.Max, maxPerMethod)
}

// newAuthenticator returns a pending authenticator of a shape, or of an address.
func newAuthenticator(ctx context.Context, m mfa.Enroller, h mfa.Holder, n NewFactor) (storage.Authenticator, mfa.Handout, error) {
	if m, ok := m.(mfa.Addressed); ok && n.Shape == (mfa.Shape{}) {
		a, err := m.EnrollAddress(n.Address)
		return a, mfa.Handout{}, err
	}
	if n.Shape == (mfa.Shape{}) {
		return m.Enroll(ctx, h)
	}
	if m, ok := m.(mfa.Shaper); ok {
		return m.EnrollShaped(ctx, h, n.Shape)
	}
	return storage.Authenticator{}, mfa.Handout{}, &mfa.Error{Code: mfa.InvalidRequest}
}

func holderOf(a *storage.Account) mfa.Holder { return mfa.Holder{Account: *a, Label: labelOf(a)} }

// labelOf returns the label of an account in an authenticator app: its e-mail address, else
// its first identifier.
func labelOf(a *storage.Account) string {
	for _, i := range a.Identifiers {
		if i.Kind == storage.Email {
			return i.Text()
		}
	}
	if len(a.Identifiers) > 0 {
		return a.Identifiers[0].Text()
	}
	return "account"
}

// CleanName returns the name of an authenticator without surrounding spaces. It returns
// InvalidRequest if it is too long or may not be shown.
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if len(name) > maxNameBytes || !input.Shown(name) {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return name, nil
}
