package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// maxNameBytes limits the name of an authenticator.
const maxNameBytes = 100

// maxPerMethod limits the authenticators of one method that a user may hold: each accepts
// codes, so each makes a guess likelier. With three and a window of one step, nine of a
// million codes are right: at most 9e-4 over the 100 failures that disable the factor (T-1).
const maxPerMethod = 3

// NewFactor holds the user's choices for a new authenticator.
type NewFactor struct {
	Method string
	Name   string // "": none
	Shape  mfa.Shape
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
}

// Enroll creates a pending authenticator. It returns ReauthenticationRequired without a fresh
// proof (see CheckFresh), NotConfigured, AlreadyEnrolled, or InvalidRequest for the name or
// the shape.
func (v *Verifier) Enroll(ctx context.Context, caller mfa.Caller, e Enrollee, n NewFactor) (Enrolling, error) {
	enroller, ok := v.methods[n.Method].(mfa.Enroller)
	if !ok || e.login != nil && !e.login.allows(v, enroller.Info()) {
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
	a, handout, err := newAuthenticator(ctx, enroller, labelOf(account), n.Shape)
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
	s, err := v.enrollmentStatus(caller, e, a)
	if err != nil {
		return Enrolling{}, err
	}
	started := v.journal.Event(caller, e.owner.Event(mfa.EventEnrollmentStarted, n.Method, a.ID))
	err = v.store.Enroll(ctx, storage.Enrollment{Authenticator: a, Status: s, Events: []storage.Event{started}})
	if errors.Is(err, storage.ErrConflict) && e.login != nil {
		return Enrolling{}, v.conflictError(*e.login, nil)
	}
	if err != nil {
		return Enrolling{}, fmt.Errorf("store enrolment: %w", err)
	}
	return Enrolling{Exchange: s.Exchange, Status: s.ID, Method: n.Method, ExpiresAt: s.ExpiresAt, Handout: handout,
		Authenticator: a.ID, Text: cmp.Or(name, n.Method)}, nil
}

// enrollmentStatus returns the status that expects the first code of an authenticator.
func (v *Verifier) enrollmentStatus(caller mfa.Caller, e Enrollee, a storage.Authenticator) (storage.Status, error) {
	account := &e.owner.Account
	s := storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: storage.ExchangeID(storage.Random128(v.random)),
		ClientID: e.owner.Client, UserID: a.UserID, Authenticator: a.ID, Method: a.Method, Usage: mfa.UsageEnroll,
		Browser: v.browser(caller), State: storage.StatusInitiated, CreatedAt: a.CreatedAt, ExpiresAt: a.ExpiresAt}
	data := statusData{Subject: v.subjectOf(account, "").hash, User: a.UserID}
	if e.login != nil {
		s.Request = e.login.Request.ID
		data.Sub = v.maskUser(*e.login, a.UserID)
	} else {
		// Another session of the same user can not confirm this enrolment.
		data.State, data.Basis = mfa.State(e.owner.Session), v.basis(e.owner)
	}
	var err error
	if s.Data, err = json.Marshal(data); err != nil {
		return s, fmt.Errorf("write status: %w", err)
	}
	return s, nil
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
	h, err := enroller.Handout(*a, labelOf(account))
	if err != nil {
		return Enrolling{}, fmt.Errorf("hand out %s: %w", s.Method, err)
	}
	return Enrolling{Exchange: exchange, Method: s.Method, ExpiresAt: s.ExpiresAt, Handout: h, Authenticator: a.ID, Text: cmp.Or(a.Name, s.Method)}, nil
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
	return len(s.RequestHash) == 0 && user == e.owner.Account.User.ID && seal.Equal(string(v.dataOf(s).State), string(e.owner.Session))
}

// atLimit reports whether an account holds maxPerMethod authenticators of a method.
func (v *Verifier) atLimit(a storage.Account, method string) bool {
	n := 0
	for _, x := range a.Authenticators {
		if x.Method == method && x.State != storage.AuthenticatorPending {
			n++
		}
	}
	return n >= maxPerMethod
}

// newAuthenticator returns a pending authenticator of a shape.
func newAuthenticator(ctx context.Context, m mfa.Enroller, label string, s mfa.Shape) (storage.Authenticator, mfa.Handout, error) {
	if s == (mfa.Shape{}) {
		return m.Enroll(ctx, label)
	}
	if m, ok := m.(mfa.Shaper); ok {
		return m.EnrollShaped(ctx, label, s)
	}
	return storage.Authenticator{}, mfa.Handout{}, &mfa.Error{Code: mfa.InvalidRequest}
}

// labelOf returns the label of an account in an authenticator app: its e-mail address, else
// its first identifier.
func labelOf(a *storage.Account) string {
	for _, i := range a.Identifiers {
		if i.Kind == storage.Email {
			return i.Value
		}
	}
	if len(a.Identifiers) > 0 {
		return a.Identifiers[0].Value
	}
	return "account"
}

// CleanName returns the name of an authenticator without surrounding spaces. It returns
// InvalidRequest if it is too long or has control characters.
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if len(name) > maxNameBytes || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return name, nil
}
