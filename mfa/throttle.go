package mfa

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Buckets of consecutive failures. They never feed each other: a stranger who
// guesses passwords does not lock the second factor, and the other way round.
const (
	BucketPassword     = "password"
	BucketDevice       = "device" // passwords from a browser that signed this user in before
	BucketFactor       = "factor" // all second factors of a user together
	BucketPasswordless = "passwordless"
	BucketClientSecret = "client_secret" // of one client from one network; package provider counts in it
	bucketAddress      = "address"
)

// Buckets returns every bucket, that of source addresses included.
func Buckets() []string {
	return []string{BucketPassword, BucketDevice, BucketFactor, BucketPasswordless, BucketClientSecret, bucketAddress}
}

// How long counters are kept that nobody adds to. Where anybody may try who knows a
// name, those of names nobody has are kept as long as those of users: else what is
// still remembered tells who is one.
const (
	forgetPassword     = 24 * time.Hour
	forgetPasswordless = 30 * 24 * time.Hour
)

// schedule returns the waits of a bucket (RFC 4226 section 7.3). The second factor
// ends after 100 consecutive failures (NIST SP 800-63B section 5.2.2). Password
// counters have no such end and start anew after a day, passwordless ones after
// thirty; the second factor, which only identified users reach, forgets nothing.
func schedule(bucket string) storage.Schedule {
	s := storage.Schedule{Free: 4, First: 30 * time.Second}
	switch bucket {
	case BucketPassword, BucketDevice:
		s.Cap, s.Forget = 15*time.Minute, forgetPassword
	case BucketPasswordless:
		s.Cap, s.Max, s.Forget = time.Hour, 100, forgetPasswordless
	default:
		s.Cap, s.Max = time.Hour, 100
	}
	return s
}

// whom is the one an attempt counts for: a user, or an identifier nobody has. A
// method that finds the user by itself begins without either.
type whom struct {
	user    storage.UserID
	subject []byte
	name    []byte   // the subject of the name that was typed; nil: none was
	older   [][]byte // the subject under every living key
}

// whom counts for a user, if there is one, and for the name that was typed. A name nobody
// has is counted twice as well: else what an attempt costs would tell.
func (v *Verifier) whom(a *storage.Account, identifier string) whom {
	var name []byte
	if identifier != "" {
		name = v.keyring.Hash(nameLabel, string(v.face(identifier)))
	}
	switch {
	case a != nil:
		return v.counted(a.User.ID, v.keyring.Hash("user", string(a.User.ID)), name)
	case identifier != "":
		return whom{subject: v.keyring.Hash("identifier", string(v.face(identifier))), name: name}
	}
	return whom{}
}

// nameLabel is the purpose of the hashes that counters of names are kept under.
const nameLabel = "name"

// nameSubjects are the subjects of a name under every living key.
func nameSubjects(keyring *seal.Keyring, identifier string) [][]byte {
	return keyring.Hashes(nameLabel, string(face(keyring, identifier)))
}

// counted is a known user with the subjects an attempt counts for.
func (v *Verifier) counted(user storage.UserID, subject, name []byte) whom {
	w := whom{user: user, subject: subject, name: name}
	if user != "" {
		w.older = v.keyring.Hashes("user", string(user))
	}
	return w
}

// throttle chooses the counter of an attempt. Passwords typed in a browser that
// signed this very user in before have their own, so that strangers can not lock
// the owner out.
func (v *Verifier) throttle(visit Visit, bucket string, w whom) storage.Throttle {
	t := storage.Throttle{Key: storage.ThrottleKey{Bucket: bucket, Subject: w.subject}}
	if bucket == BucketPassword && w.user != "" {
		if device, ok := knows(v.keyring, visit.Device, w.user); ok {
			t.Key = storage.ThrottleKey{Bucket: BucketDevice, Subject: v.keyring.Hash("device", device+"|"+string(w.user))}
		}
	}
	t.Schedule = schedule(t.Key.Bucket)
	return t
}

// typed is the counter of the name of an attempt, whose wait is told in place of the
// user's: several names of one user must not be told apart from names of several users.
// A browser that signed the user in before is told the truth.
func typed(t storage.Throttle, w whom) *storage.Throttle {
	if w.name == nil || t.Key.Bucket == BucketDevice {
		return nil
	}
	return &storage.Throttle{Key: storage.ThrottleKey{Bucket: t.Key.Bucket, Subject: w.name}, Schedule: t.Schedule}
}

// address bounds attempts by where they come from: one IPv4 address or one IPv6 /64.
func (v *Verifier) address(visit Visit, w whom) *storage.AddressThrottle {
	network := visit.Network()
	if network == "" || v.o.AddressMax < 0 {
		return nil
	}
	// As many as were typed: names of one user are not one. Who is identified fails as
	// nobody in particular, for they have failed by their name already, if at all.
	return &storage.AddressThrottle{Address: network, Subject: w.name, Window: v.o.AddressWindow,
		Max: v.o.AddressMax, MaxSubjects: v.o.AddressMaxSubjects}
}

// refused turns a counter's refusal into ours.
func refused(r storage.Refusal, now time.Time) *Error {
	switch {
	case r.Bucket == "":
		return &Error{Code: InvalidExchange}
	case r.Until.IsZero():
		return &Error{Code: Locked}
	}
	return &Error{Code: TooMany, RetryAfter: max(r.Until.Sub(now), time.Second)}
}

// count counts an attempt before anything is compared, for what a has beside. Where the
// user's counter refuses and the name's does not, the try goes on and comes to nothing.
func (v *Verifier) count(ctx context.Context, visit Visit, t *try, a storage.Attempt) error {
	r, err := v.store.CountAttempt(ctx, t.counts(a))
	if err == nil && r.Bucket != "" {
		t.waits = true
		if v.o.Throttled != nil {
			v.o.Throttled(t.about.Detail["method"], r.Bucket)
		}
	}
	return v.passed(visit, r, err, t.attempt.Now, t.about, t.locked)
}

// passed turns what the counters say into our answer. Every refusal is counted; the trail
// is told of a wait once, by whoever is refused first: whoever tries on during it has
// proven nothing, and would write as much as they like.
func (v *Verifier) passed(visit Visit, r storage.Refusal, err error, now time.Time, about storage.Event, locked string) error {
	if errors.Is(err, storage.ErrConflict) {
		refusal := refused(r, now)
		if refusal.Code != InvalidExchange {
			v.waits(visit, r, about, locked, refusal.Code)
		}
		return refusal
	}
	if err != nil {
		return fmt.Errorf("count attempt: %w", err)
	}
	return nil
}

// waits accounts for one who was refused during a wait.
func (v *Verifier) waits(visit Visit, r storage.Refusal, about storage.Event, locked string, code Code) {
	if v.o.Throttled != nil {
		v.o.Throttled(about.Detail["method"], r.Bucket)
	}
	if r.First {
		about.Detail = maps.Clone(about.Detail)
		about.Detail["bucket"] = r.Bucket
		v.note(visit, about, locked, OutcomeRefused, string(code))
	}
}
