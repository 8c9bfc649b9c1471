package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// BackendEnrollment is an enrolment that a backend begins for a user.
type BackendEnrollment struct {
	Account storage.Account
	Method  string
	Issuer  string // shown by the user's app; "": the server's product
	TTL     time.Duration
	Codes   []string // recovery codes that become the user's with the first right code
}

// EnrollBackend creates a pending authenticator for a backend. It needs no fresh proof of the
// user: the API key vouches for them. NotConfigured; AlreadyEnrolled: the user has one of a
// backend.
func (v *Verifier) EnrollBackend(ctx context.Context, caller mfa.Caller, b BackendEnrollment) (Enrolling, error) {
	account, method := b.Account, b.Method
	enroller, ok := v.methods[method].(mfa.Enroller)
	if !ok {
		return Enrolling{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	a, handout, err := enroller.Enroll(ctx, holderOf(&account))
	if m, ok := enroller.(mfa.Issued); ok && err == nil && b.Issuer != "" {
		handout, err = m.HandoutAs(a, b.Issuer, labelOf(&account))
	}
	if err != nil {
		return Enrolling{}, fmt.Errorf("enrol %s: %w", method, err)
	}
	now := v.now()
	a.ID, a.UserID, a.Origin, a.State = storage.AuthenticatorID(storage.Random128(v.random)), account.User.ID, mfa.OriginBackend, storage.AuthenticatorPending
	a.CreatedAt, a.UpdatedAt, a.ExpiresAt = now, now, now.Add(b.TTL)
	s := storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: v.derived("enrolment", string(a.ID))[0], UserID: a.UserID,
		Authenticator: a.ID, Method: method, Usage: mfa.UsageBackend, State: storage.StatusInitiated, CreatedAt: now, ExpiresAt: a.ExpiresAt}
	if s.Data, err = json.Marshal(statusData{User: a.UserID, Codes: b.Codes}); err != nil {
		return Enrolling{}, fmt.Errorf("write status: %w", err)
	}
	o := mfa.Owner{Account: account}
	err = v.store.Enroll(ctx, storage.Enrollment{Authenticator: a, Status: s, Sole: true,
		Events: []storage.Event{v.journal.Event(caller, o.Event(mfa.EventEnrollmentStarted, method, a.ID))}})
	if err != nil {
		return Enrolling{}, mfa.Refuse("store enrolment", err, storage.ErrConflict, mfa.AlreadyEnrolled)
	}
	return Enrolling{Method: method, ExpiresAt: a.ExpiresAt, Handout: handout, Authenticator: a.ID, Text: method}, nil
}

// PendingCodes returns the recovery codes of an enrolment by EnrollBackend; nil: it is
// confirmed or over.
func (v *Verifier) PendingCodes(ctx context.Context, id storage.AuthenticatorID) ([]string, error) {
	s, _, err := v.derivedStatus(ctx, "enrolment", string(id))
	if errors.Is(err, storage.ErrNotFound) || err == nil && s.State != storage.StatusInitiated {
		return nil, nil
	}
	return v.dataOf(s).Codes, err
}
