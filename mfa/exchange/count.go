package exchange

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/device"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// subject is what an attempt counts for: a user, or an unknown identifier. It is empty for a
// method that identifies the user itself.
type subject struct {
	user   storage.UserID
	hash   []byte
	name   []byte   // the hash of the typed name; nil: none
	hashes [][]byte // the hash of the user under every active key
}

// subjectOf returns the subject of a user, if there is one, and of the typed name. An unknown
// name counts twice too: else the cost of an attempt would reveal it.
func (v *Verifier) subjectOf(a *storage.Account, identifier string) subject {
	var name []byte
	if identifier != "" {
		name = throttle.NameSubject(v.keyring, identifier)
	}
	switch {
	case a != nil:
		return v.subject(a.User.ID, v.keyring.Hash("user", string(a.User.ID)), name)
	case identifier != "":
		return subject{hash: throttle.UnknownSubject(v.keyring, identifier), name: name}
	}
	return subject{}
}

func (v *Verifier) subject(user storage.UserID, hash, name []byte) subject {
	s := subject{user: user, hash: hash, name: name}
	if user != "" {
		s.hashes = v.keyring.Hashes("user", string(user))
	}
	return s
}

// throttle returns the counter of an attempt. Passwords from a browser that this user signed
// in with before have their own counter, so that attackers cannot lock the user out.
func (v *Verifier) throttle(caller mfa.Caller, bucket string, s subject) storage.Throttle {
	t := storage.Throttle{Key: storage.ThrottleKey{Bucket: bucket, Subject: s.hash}}
	if bucket == throttle.Password {
		if device, ok := v.device(caller, s); ok {
			t.Key = storage.ThrottleKey{Bucket: throttle.Device, Subject: v.keyring.Hash("device", device+"|"+string(s.user))}
		}
	}
	t.Schedule = throttle.Schedule(t.Key.Bucket)
	return t
}

// device returns the ID of the caller's browser if the user of an attempt signed in with it
// before.
func (v *Verifier) device(caller mfa.Caller, s subject) (string, bool) {
	if s.user == "" {
		return "", false
	}
	return device.Knows(v.keyring, caller.Device, s.user)
}

// nameThrottle returns the counter of the typed name. Callers see its wait in place of the
// user's, so that names of one user look like names of several. A browser that the user
// signed in with before sees the user's.
func nameThrottle(t storage.Throttle, s subject) *storage.Throttle {
	if s.name == nil || t.Key.Bucket == throttle.Device {
		return nil
	}
	return &storage.Throttle{Key: storage.ThrottleKey{Bucket: t.Key.Bucket, Subject: s.name}, Schedule: t.Schedule}
}

// address returns the counter of the caller's network; nil: none.
func (v *Verifier) address(caller mfa.Caller, s subject) *storage.AddressThrottle {
	network := caller.Network()
	if network == "" || v.o.AddressMax < 0 || caller.APIKey != "" { // a backend may have been told any address
		return nil
	}
	// Names of one user count as several subjects. Second factors count without a subject.
	cause := s.name
	if cause == nil {
		cause = s.hash
	}
	return &storage.AddressThrottle{Address: network, Subject: s.name, Cause: cause, Window: v.o.AddressWindow,
		Max: v.o.AddressMax, MaxSubjects: v.o.AddressMaxSubjects}
}

// refusalError returns the error for a counter's refusal.
func refusalError(r storage.Refusal, now time.Time) *mfa.Error {
	switch {
	case r.Bucket == "":
		return &mfa.Error{Code: mfa.InvalidExchange}
	case r.Until.IsZero():
		return &mfa.Error{Code: mfa.Locked}
	}
	return &mfa.Error{Code: mfa.TooMany, RetryAfter: max(r.Until.Sub(now), time.Second)}
}

// count counts an attempt. Where the user's counter refuses and the name's does not, the try
// continues and fails.
func (v *Verifier) count(ctx context.Context, caller mfa.Caller, t *try) error {
	t.uncounted = false
	if t.free && t.counted.New == nil && t.counted.Exchange == "" {
		return nil
	}
	a := t.withCounters(t.counted)
	a.User = t.subject.user
	r, err := v.store.CountAttempt(ctx, a)
	if err == nil && r.Bucket != "" {
		t.blocked = true
		if v.o.Throttled != nil {
			v.o.Throttled(t.about.Detail["method"], r.Bucket)
		}
	}
	v.noticeLock(caller, *t, r, err)
	return v.checkRefusal(caller, r, err, t.attempt.Now, t.about, t.lockedEvent)
}

// checkRefusal returns the error for the result of the counters. The first refusal of a wait
// is logged; the following ones are not, as callers could write any number.
func (v *Verifier) checkRefusal(caller mfa.Caller, r storage.Refusal, err error, now time.Time, about storage.Event, locked string) error {
	if errors.Is(err, storage.ErrConflict) {
		refusal := refusalError(r, now)
		if refusal.Code != mfa.InvalidExchange {
			v.noteWait(caller, r, about, locked, refusal.Code)
		}
		return refusal
	}
	if err != nil {
		return fmt.Errorf("count attempt: %w", err)
	}
	return nil
}

// noteWait reports a refusal, and logs the first one of a wait.
func (v *Verifier) noteWait(caller mfa.Caller, r storage.Refusal, about storage.Event, locked string, code mfa.Code) {
	if v.o.Throttled != nil {
		v.o.Throttled(about.Detail["method"], r.Bucket)
	}
	if r.First {
		about.Detail = maps.Clone(about.Detail)
		about.Detail["bucket"] = r.Bucket
		v.note(caller, about, locked, mfa.OutcomeRefused, string(code))
	}
}
