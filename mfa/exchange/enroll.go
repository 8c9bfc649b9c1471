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
	"unicode"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/recovery"
	"sallyport/storage"
)

// againAfter is how old the proof of an existing factor may be when another one is
// enrolled or one is taken away.
const againAfter = 5 * time.Minute

const nameMax = 100

// Enrolling is an enrolment that waits for its first right code.
type Enrolling struct {
	Exchange      storage.ExchangeID
	Status        storage.StatusID // "" where it is only said again
	Method        string
	ExpiresAt     time.Time
	Handout       mfa.Handout
	Authenticator storage.AuthenticatorID
	Text          string
}

// BeginEnrollment makes a pending authenticator in a login whose user is identified.
// It demands a young proof, and of a user who holds a second factor the proof of
// one: else a stolen password could add a factor of the thief's.
func (v *Verifier) BeginEnrollment(ctx context.Context, visit mfa.Caller, p Proving, method, name string) (Enrolling, error) {
	enroller, ok := v.methods[method].(mfa.Enroller)
	policy := mfa.Table{Policy: p.Policy, Methods: v.infos}
	if !ok || !policy.Allowed(enroller.Info()) {
		return Enrolling{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := v.fresh(p, 0); err != nil {
		return Enrolling{}, err
	}
	name, err := cleanName(name)
	if err != nil {
		return Enrolling{}, err
	}
	if v.many(*p.Account, method) {
		return Enrolling{}, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	label := labelOf(p.Account)
	a, handout, err := enroller.Enroll(ctx, label)
	if err != nil {
		return Enrolling{}, fmt.Errorf("enrol %s: %w", method, err)
	}
	now, user := v.now(), p.Account.User.ID
	a.ID, a.UserID = storage.AuthenticatorID(storage.Random128(v.random)), user
	a.Method, a.Name, a.Origin, a.State = method, name, "login", storage.AuthenticatorPending
	a.CreatedAt, a.UpdatedAt, a.ExpiresAt = now, now, now.Add(v.o.EnrollTTL)
	s := storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: storage.ExchangeID(storage.Random128(v.random)),
		Request: p.Request.ID, ClientID: p.Request.ClientID, UserID: user, Authenticator: a.ID, Method: method, Usage: mfa.UsageEnroll,
		Browser: v.browser(visit), State: storage.StatusInitiated, CreatedAt: now, ExpiresAt: a.ExpiresAt}
	s.Data, err = json.Marshal(aside{Subject: v.whom(p.Account, "").subject, User: user, Sub: v.masked(p, user)})
	if err != nil {
		return Enrolling{}, fmt.Errorf("write status: %w", err)
	}
	about := storage.Event{UserID: user, ClientID: p.Request.ClientID, Detail: map[string]string{"method": method, "authenticator": string(a.ID)}}
	e := storage.Enrollment{Authenticator: a, Status: s, Events: []storage.Event{v.event(visit, about, mfa.EventEnrollmentStarted, mfa.OutcomeOK, "")}}
	if err := v.store.Enroll(ctx, e); errors.Is(err, storage.ErrConflict) {
		return Enrolling{}, v.notOpened(p, nil)
	} else if err != nil {
		return Enrolling{}, fmt.Errorf("store enrolment: %w", err)
	}
	return Enrolling{Exchange: s.Exchange, Status: s.ID, Method: method, ExpiresAt: s.ExpiresAt, Handout: handout, Authenticator: a.ID, Text: cmp.Or(name, method)}, nil
}

// fresh demands what a change of factors demands, with patience for what was begun in time.
func (v *Verifier) fresh(p Proving, patience time.Duration) error {
	verdict := v.verdict(p)
	if verdict.Need == mfa.NeedFirst || p.Account == nil || p.Request.Subject != p.Account.User.ID {
		return &mfa.Error{Code: mfa.ReauthenticationRequired}
	}
	limit, held := v.now().Add(-v.o.Reauth-patience), mfa.HasSecond(p.Account, v.infos)
	if held {
		limit = v.now().Add(-againAfter - patience)
	}
	for _, f := range verdict.Counted {
		if i, _ := v.Info(f.Method); (i.Second || !held) && !f.At.Before(limit) {
			return nil
		}
	}
	return &mfa.Error{Code: mfa.ReauthenticationRequired}
}

// PendingEnrollment says again what is to be taken over, while it waits.
func (v *Verifier) PendingEnrollment(ctx context.Context, visit mfa.Caller, p Proving, exchange storage.ExchangeID) (Enrolling, error) {
	s, a, _, err := v.enrolling(ctx, visit, p, exchange)
	if err != nil {
		return Enrolling{}, err
	}
	return v.handOut(exchange, s, *a, p.Account)
}

// handOut says what is to be taken over for a pending enrolment.
func (v *Verifier) handOut(exchange storage.ExchangeID, s storage.Status, a storage.Authenticator, account *storage.Account) (Enrolling, error) {
	enroller, ok := v.methods[s.Method].(mfa.Enroller)
	if !ok {
		return Enrolling{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	h, err := enroller.Handout(a, labelOf(account))
	if err != nil {
		return Enrolling{}, fmt.Errorf("hand out %s: %w", s.Method, err)
	}
	return Enrolling{Exchange: exchange, Method: s.Method, ExpiresAt: s.ExpiresAt, Handout: h, Authenticator: a.ID, Text: cmp.Or(a.Name, s.Method)}, nil
}

// enrolling returns the pending enrolment of this request's user behind an exchange.
func (v *Verifier) enrolling(ctx context.Context, visit mfa.Caller, p Proving, exchange storage.ExchangeID) (storage.Status, *storage.Authenticator, *storage.Account, error) {
	over := &mfa.Error{Code: mfa.EnrollmentExpired}
	s, account, err := v.pending(ctx, visit, exchange)
	if mfa.CodeOf(err) == mfa.InvalidExchange {
		return s, nil, nil, over
	}
	if err != nil {
		return s, nil, nil, err
	}
	if s.Usage != mfa.UsageEnroll || !v.ofRequest(s, p.Request.ID) || account == nil ||
		account.User.ID != p.Request.Subject || !account.User.In() {
		return s, nil, nil, over
	}
	a := account.Authenticator(s.Authenticator)
	if a == nil || a.State != storage.AuthenticatorPending || !a.ExpiresAt.After(v.now()) {
		return s, nil, nil, over
	}
	return s, a, account, nil
}

// ConfirmEnrollment takes the first right code of a new authenticator. The code
// proves the factor for this login too, and its step counts as used. With the first
// second factor come recovery codes, to be shown before the login goes on.
//
// Freshness is asked again, of the account as it is now: if a factor was confirmed
// elsewhere since this began, the password it began with is not enough any more.
func (v *Verifier) ConfirmEnrollment(ctx context.Context, visit mfa.Caller, p Proving, exchange storage.ExchangeID, r mfa.Response) error {
	s, _, account, err := v.enrolling(ctx, visit, p, exchange)
	if err != nil {
		return err
	}
	p.Account = account
	if err := v.fresh(p, v.o.EnrollTTL); err != nil {
		return err
	}
	if v.many(*account, s.Method) {
		return &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	t, release, err := v.answering(ctx, visit, s, account, r)
	if err != nil {
		return err
	}
	defer release()
	if err := v.count(ctx, visit, &t, storage.Attempt{Exchange: exchange, MaxAttempts: v.o.MaxAttempts}); err != nil {
		return err
	}
	proof, err := v.compare(ctx, visit, t, nil, r)
	if err != nil {
		return err
	}
	spend, err := v.confirmed(visit, p, account, t, proof, exchange)
	if err != nil {
		return err
	}
	err = v.store.Spend(ctx, spend)
	if errors.Is(err, storage.ErrConflict) {
		return &mfa.Error{Code: mfa.RequestChanged}
	}
	if err != nil {
		return fmt.Errorf("confirm enrolment: %w", err)
	}
	return nil
}

// confirmed is everything a confirmed enrolment writes.
func (v *Verifier) confirmed(visit mfa.Caller, p Proving, account *storage.Account, t try, proof mfa.Proof, exchange storage.ExchangeID) (storage.Spend, error) {
	name := t.method.Info().Name
	t.about.Detail = map[string]string{"method": name, "authenticator": string(proof.Authenticator)}
	spend := v.spend(visit, t, proof, mfa.EventFactorEnrolled)
	spend.Credential = &proof.Spend
	spend.Credential.Confirm, spend.Credential.Alone = true, v.unaccompanied(account)
	spend.MFAEnabled = proof.User
	spend.Status = &storage.StatusMove{Exchange: exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed,
		Request: p.Request.ID, User: proof.User, Method: name, Usage: mfa.UsageEnroll}
	spend.Request = &storage.RequestChange{ID: p.Request.ID, Version: p.Request.Version, Factor: proven(name, proof, t.attempt.Now), Now: t.attempt.Now}
	spend.Messages = v.message(visit, account, notice.FactorEnrolled, map[string]string{"method": name})
	if v.recovery == nil || slices.ContainsFunc(account.Authenticators, func(a storage.Authenticator) bool {
		return a.Method == recovery.Name && mfa.Enrolled(a)
	}) {
		return spend, nil
	}
	set, err := v.recovery.NewSet(v.o.RecoveryCodes, proof.User, t.attempt.Now)
	if err != nil {
		return storage.Spend{}, err
	}
	show := true
	spend.Recovery, spend.Request.ShowRecovery = &set, &show
	spend.Events = append(spend.Events, v.event(visit, t.about, mfa.EventRecoveryRegenerated, mfa.OutcomeOK, "first second factor"))
	return spend, nil
}

// labelOf names an account in an authenticator app: by e-mail address, else by its
// first name.
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

// cleanName is what a user calls an authenticator, in one line.
func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if len(name) > nameMax || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	return name, nil
}

// shaped begins an enrolment of a method.
func shaped(ctx context.Context, m mfa.Enroller, label string, s mfa.Shape) (storage.Authenticator, mfa.Handout, error) {
	if s == (mfa.Shape{}) {
		return m.Enroll(ctx, label)
	}
	if m, ok := m.(mfa.Shaper); ok {
		return m.EnrollShaped(ctx, label, s)
	}
	return storage.Authenticator{}, mfa.Handout{}, &mfa.Error{Code: mfa.InvalidRequest}
}

// basis is what an owner's enrolment is begun under: the session, the token and the
// secret the owner chose.
func (v *Verifier) basis(o mfa.Owner) *storage.Basis {
	b := storage.Basis{User: o.Account.User.ID, Session: o.Session, Grant: o.Grant}
	for _, a := range o.Account.Authenticators {
		if i, _ := v.Info(a.Method); i.First && i.Chosen {
			b.Secret, b.Was = a.ID, a.Counter
		}
	}
	return &b
}
