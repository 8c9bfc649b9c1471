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

// subject is what an attempt counts for: a user, or an identifier no user has. A method
// that finds the user by itself begins without either.
type subject struct {
	user  storage.UserID
	hash  []byte
	name  []byte   // the hash of the name that was typed; nil: none was
	older [][]byte // the hash under every living key
}

// subjectOf counts for a user, if there is one, and for the name that was typed. A name no
// user has is counted twice as well: else the cost of an attempt would tell.
func (v *Verifier) subjectOf(a *storage.Account, identifier string) subject {
	var name []byte
	if identifier != "" {
		name = throttle.NameSubject(v.keyring, identifier)
	}
	switch {
	case a != nil:
		return v.subject(a.User.ID, v.keyring.Hash("user", string(a.User.ID)), name)
	case identifier != "":
		return subject{hash: v.keyring.Hash("identifier", string(v.digest(identifier))), name: name}
	}
	return subject{}
}

// subject is a user, or none, with the hashes an attempt counts for.
func (v *Verifier) subject(user storage.UserID, hash, name []byte) subject {
	s := subject{user: user, hash: hash, name: name}
	if user != "" {
		s.older = v.keyring.Hashes("user", string(user))
	}
	return s
}

// throttle chooses the counter of an attempt. Passwords typed in a browser that
// signed this very user in before have their own, so that strangers can not lock
// the owner out.
func (v *Verifier) throttle(caller mfa.Caller, bucket string, s subject) storage.Throttle {
	t := storage.Throttle{Key: storage.ThrottleKey{Bucket: bucket, Subject: s.hash}}
	if bucket == throttle.Password && s.user != "" {
		if device, ok := device.Knows(v.keyring, caller.Device, s.user); ok {
			t.Key = storage.ThrottleKey{Bucket: throttle.Device, Subject: v.keyring.Hash("device", device+"|"+string(s.user))}
		}
	}
	t.Schedule = throttle.Schedule(t.Key.Bucket)
	return t
}

// nameThrottle is the counter of the name of an attempt, whose wait callers see in place of
// the user's: several names of one user must look like names of several users. A browser
// that signed the user in before sees the real wait.
func nameThrottle(t storage.Throttle, s subject) *storage.Throttle {
	if s.name == nil || t.Key.Bucket == throttle.Device {
		return nil
	}
	return &storage.Throttle{Key: storage.ThrottleKey{Bucket: t.Key.Bucket, Subject: s.name}, Schedule: t.Schedule}
}

// address bounds attempts by where they come from: one IPv4 address or one IPv6 /64.
func (v *Verifier) address(caller mfa.Caller, s subject) *storage.AddressThrottle {
	network := caller.Network()
	if network == "" || v.o.AddressMax < 0 {
		return nil
	}
	// As many as were typed: names of one user are not one. Who is identified fails as
	// nobody in particular, for they have failed by their name already, if at all.
	return &storage.AddressThrottle{Address: network, Subject: s.name, Window: v.o.AddressWindow,
		Max: v.o.AddressMax, MaxSubjects: v.o.AddressMaxSubjects}
}

// refused turns a counter's refusal into ours.
func refused(r storage.Refusal, now time.Time) *mfa.Error {
	switch {
	case r.Bucket == "":
		return &mfa.Error{Code: mfa.InvalidExchange}
	case r.Until.IsZero():
		return &mfa.Error{Code: mfa.Locked}
	}
	return &mfa.Error{Code: mfa.TooMany, RetryAfter: max(r.Until.Sub(now), time.Second)}
}

// count counts an attempt before anything is compared, for what a has beside. Where the
// user's counter refuses and the name's does not, the try goes on and comes to nothing.
func (v *Verifier) count(ctx context.Context, caller mfa.Caller, t *try, a storage.Attempt) error {
	r, err := v.store.CountAttempt(ctx, t.counts(a))
	if err == nil && r.Bucket != "" {
		t.waits = true
		if v.o.Throttled != nil {
			v.o.Throttled(t.about.Detail["method"], r.Bucket)
		}
	}
	return v.passed(caller, r, err, t.attempt.Now, t.about, t.locked)
}

// passed turns what the counters say into our answer. Every refusal is counted; the trail
// is told of a wait once, by whoever is refused first: whoever tries on during it has
// proven nothing, and would write as much as they like.
func (v *Verifier) passed(caller mfa.Caller, r storage.Refusal, err error, now time.Time, about storage.Event, locked string) error {
	if errors.Is(err, storage.ErrConflict) {
		refusal := refused(r, now)
		if refusal.Code != mfa.InvalidExchange {
			v.waits(caller, r, about, locked, refusal.Code)
		}
		return refusal
	}
	if err != nil {
		return fmt.Errorf("count attempt: %w", err)
	}
	return nil
}

// waits accounts for one who was refused during a wait.
func (v *Verifier) waits(caller mfa.Caller, r storage.Refusal, about storage.Event, locked string, code mfa.Code) {
	if v.o.Throttled != nil {
		v.o.Throttled(about.Detail["method"], r.Bucket)
	}
	if r.First {
		about.Detail = maps.Clone(about.Detail)
		about.Detail["bucket"] = r.Bucket
		v.note(caller, about, locked, mfa.OutcomeRefused, string(code))
	}
}
