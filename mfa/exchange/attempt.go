package exchange

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"sallyport/mfa"
	"sallyport/mfa/device"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// try is the state of a response while it is counted, compared and spent.
type try struct {
	method      mfa.Method
	attempt     mfa.Attempt
	subject     subject
	throttle    *storage.Throttle        // nil: only the exchange limits it
	name        *storage.Throttle        // of the typed name; nil: none
	counted     storage.Attempt          // what an attempt counts besides counters: its status
	uncounted   bool                     // nothing is counted yet, because nothing was counted against the user
	free        bool                     // its responses cannot be guessed: no counter counts them
	blocked     bool                     // the user's counter refuses, so that any response is wrong
	network     string                   // that places are shared by; "": none
	address     *storage.AddressThrottle // nil: none, or the user signed in with the browser before
	known       bool                     // the user signed in with the browser before
	about       storage.Event            // template of its events
	okEvent     string                   // event kinds
	failedEvent string
	lockedEvent string
	disabled    bool   // the user is
	news        string // about the circumstances, for the policy SMART
	keepsPlace  bool
	release     func() // frees the method's place; idempotent
}

// newTry returns the try of a response, with its counters.
func (v *Verifier) newTry(caller mfa.Caller, r response) try {
	i, s := r.method.Info(), r.subject
	bucket := bucketOf(i, r.attempt.Usage)
	if bucket != throttle.Password && bucket != throttle.Passwordless {
		s.name = nil // the user is identified, so only their own counter counts
	}
	t := try{method: r.method, attempt: r.attempt, subject: s, address: v.address(caller, s), keepsPlace: r.keepsPlace, disabled: r.disabled,
		okEvent: mfa.EventMFAOK, failedEvent: mfa.EventMFAFailed, lockedEvent: mfa.EventMFALocked,
		about: storage.Event{UserID: s.user, ClientID: r.client, Detail: map[string]string{"method": i.Name, "usage": r.attempt.Usage}}}
	if t.address != nil {
		t.network = t.address.Address
	}
	// Others behind the address must not keep the user out. The user's own counters bound
	// guesses from that browser.
	if _, t.known = v.device(caller, s); t.known {
		t.address = nil
	}
	if i.Bucket == throttle.Password {
		t.okEvent, t.failedEvent, t.lockedEvent = mfa.EventPasswordOK, mfa.EventPasswordFailed, mfa.EventPasswordLocked
	}
	if t.free = i.Bucket == ""; t.free {
		// The budget of the network bounds what failures write, in every browser.
		t.address, t.known = nil, false
	}
	if bucket != "" && s.hash != nil {
		th := v.throttle(caller, bucket, s)
		t.throttle, t.name = &th, nameThrottle(th, s)
	}
	t.news = v.news(caller, t)
	return t
}

// news returns what is new about the circumstances of a user's first factor. Failures elsewhere do
// not count in a browser that the user signed in with: anybody can cause them.
func (v *Verifier) news(caller mfa.Caller, t try) string {
	a := t.attempt.Account
	if a == nil || !t.method.Info().First {
		return ""
	}
	var out []string
	known, there := device.IsFamiliar(v.keyring, caller.Familiar, device.Place{User: a.User.ID, Ended: a.User.DevicesEnded, Network: caller.Area()}, t.attempt.Now)
	switch {
	case !known:
		out = append(out, mfa.NewDevice)
	case !there:
		out = append(out, mfa.NewNetwork)
	}
	if t.throttle != nil && slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return slices.Contains(x.Failing, t.throttle.Key.Bucket)
	}) {
		out = append(out, mfa.NewFailures)
	}
	if !slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool { return !x.LastUsedAt.IsZero() }) {
		out = append(out, mfa.NewUser)
	}
	return cmp.Or(strings.Join(out, ","), mfa.NewNothing)
}

// bucketOf returns the bucket that a usage counts in; "": none. Attempts that need only a name
// never count in the bucket of second factors, nor do codes of backends, which anyone has them
// send. An enrolment counts in none if its secret is shown to the caller, and a response that cannot be
// guessed never does.
func bucketOf(i mfa.Info, usage string) string {
	switch {
	case i.Bucket == "", usage == mfa.UsageEnroll && !i.Sends:
		return ""
	case usage == mfa.UsageAddress:
		return throttle.Proof
	case i.Bucket == throttle.Password:
		return throttle.Password
	case usage == mfa.UsageBackend && i.Sends:
		return throttle.Passwordless
	case usage != mfa.UsageSecond && usage != mfa.UsageEnroll && usage != mfa.UsageBackend:
		return throttle.Passwordless
	}
	return throttle.Factor
}

// withCounters adds the counters of the try to an attempt.
func (t try) withCounters(a storage.Attempt) storage.Attempt {
	a.Name, a.Address, a.Now = t.name, t.address, t.attempt.Now
	if t.throttle != nil {
		a.Throttles = []storage.Throttle{*t.throttle}
	}
	return a
}

// userCounter returns the key of the counter that the attempt counted in.
func (t try) userCounter() []storage.ThrottleKey {
	if t.throttle == nil {
		return nil
	}
	return []storage.ThrottleKey{t.throttle.Key}
}

// resetKeys returns the counters that a right response resets. Other names of the user keep
// their waits: a reset would reveal that the names belong to one user.
func (t try) resetKeys() []storage.ThrottleKey {
	keys := t.userKeys()
	if t.name != nil {
		keys = append(keys, t.name.Key)
	}
	return keys
}

// userKeys returns the counters of the user under all hash keys: one under an older key would
// take effect again when it is moved to the newest.
func (t try) userKeys() []storage.ThrottleKey {
	keys := t.userCounter()
	if keys == nil {
		return nil
	}
	for _, hash := range t.subject.hashes {
		if t.throttle.Key.Bucket != throttle.Device && !bytes.Equal(hash, t.throttle.Key.Subject) {
			keys = append(keys, storage.ThrottleKey{Bucket: t.throttle.Key.Bucket, Subject: hash})
		}
	}
	return keys
}

// move sets the user whom a status must belong to or, if it has none, gets.
func (t try) move(m storage.StatusMove, proof mfa.Proof) *storage.StatusMove {
	if t.subject.user == "" {
		m.Found = proof.User
	} else {
		m.User = proof.User
	}
	return &m
}
