package exchange

import (
	"bytes"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// try is one response on its way: counted, compared, spent.
type try struct {
	method     mfa.Method
	attempt    mfa.Attempt
	subject    subject
	throttle   *storage.Throttle // nil: the exchange alone bounds it
	name       *storage.Throttle // of the name that was typed; nil: none was
	waits      bool              // the user's counter refuses: whatever the response, it is wrong
	address    *storage.AddressThrottle
	about      storage.Event // template of its events
	right      string        // event kinds
	failed     string
	locked     string
	keepsPlace bool
	release    func() // frees the method's place, once
}

// newTry prepares a response to be counted.
func (v *Verifier) newTry(caller mfa.Caller, r response) try {
	i, s := r.method.Info(), r.subject
	bucket := bucketOf(i, r.attempt.Usage)
	if bucket != throttle.Password && bucket != throttle.Passwordless {
		s.name = nil // a second factor is asked of a user who has proven whose name it is
	}
	t := try{method: r.method, attempt: r.attempt, subject: s, address: v.address(caller, s), keepsPlace: r.keepsPlace,
		right: mfa.EventMFAOK, failed: mfa.EventMFAFailed, locked: mfa.EventMFALocked,
		about: storage.Event{UserID: s.user, ClientID: r.client, Detail: map[string]string{"method": i.Name, "usage": r.attempt.Usage}}}
	if i.Bucket == throttle.Password {
		t.right, t.failed, t.locked = mfa.EventPasswordOK, mfa.EventPasswordFailed, mfa.EventPasswordLocked
	}
	if bucket != "" && s.hash != nil {
		th := v.throttle(caller, bucket, s)
		t.throttle, t.name = &th, nameThrottle(th, s)
	}
	return t
}

// bucketOf chooses the counter of a usage; "" counts in none. What anybody can try who
// knows a name never counts where the second factor does. Enrolling with a wrong code
// guesses nothing: the secret is on the caller's own screen.
func bucketOf(i mfa.Info, usage string) string {
	switch {
	case usage == mfa.UsageEnroll:
		return ""
	case i.Bucket == throttle.Password:
		return throttle.Password
	case usage != mfa.UsageSecond:
		return throttle.Passwordless
	}
	return throttle.Factor
}

// counts adds to an attempt what it is counted in.
func (t try) counts(a storage.Attempt) storage.Attempt {
	a.Name, a.Address, a.Now = t.name, t.address, t.attempt.Now
	if t.throttle != nil {
		a.Throttles = []storage.Throttle{*t.throttle}
	}
	return a
}

// counter is what this attempt was counted in.
func (t try) counter() []storage.ThrottleKey {
	if t.throttle == nil {
		return nil
	}
	return []storage.ThrottleKey{t.throttle.Key}
}

// resets are the counters that a right response resets. Other names of the user keep their
// waits: whoever watches them must not see that they are the same user's.
func (t try) resets() []storage.ThrottleKey {
	keys := t.keys()
	if t.name != nil {
		keys = append(keys, t.name.Key)
	}
	return keys
}

// keys are the counters of the user, also those from before a rotation of the hash key:
// they would return when they are moved.
func (t try) keys() []storage.ThrottleKey {
	keys := t.counter()
	if keys == nil {
		return nil
	}
	for _, hash := range t.subject.older {
		if t.throttle.Key.Bucket != throttle.Device && !bytes.Equal(hash, t.throttle.Key.Subject) {
			keys = append(keys, storage.ThrottleKey{Bucket: t.throttle.Key.Bucket, Subject: hash})
		}
	}
	return keys
}

// move demands the user the status was made for, or gives it the one that was found.
func (t try) move(m storage.StatusMove, proof mfa.Proof) *storage.StatusMove {
	if t.subject.user == "" {
		m.Found = proof.User
	} else {
		m.User = proof.User
	}
	return &m
}
