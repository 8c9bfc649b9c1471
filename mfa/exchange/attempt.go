package exchange

import (
	"bytes"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// try is one answer on its way: counted, compared, spent.
type try struct {
	method   mfa.Method
	attempt  mfa.Attempt
	who      whom
	throttle *storage.Throttle // nil: the exchange alone bounds it
	name     *storage.Throttle // of the name that was typed; nil: none was
	waits    bool              // the user's counter refuses: whatever the answer, it is wrong
	address  *storage.AddressThrottle
	about    storage.Event // template of its events
	failed   string        // event kinds
	locked   string
	release  func() // gives back the method's place, once
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

// resets are the counters that a right answer resets. Other names of the user keep their
// waits: who watches them must not see that they are the user's.
func (t try) resets() []storage.ThrottleKey {
	keys := t.keys()
	if t.name != nil {
		keys = append(keys, t.name.Key)
	}
	return keys
}

// keys are the counters of the user: those from before a rotation of the hash key too, or
// they would come back when they are moved.
func (t try) keys() []storage.ThrottleKey {
	keys := t.counter()
	if keys == nil {
		return nil
	}
	for _, subject := range t.who.older {
		if t.throttle.Key.Bucket != throttle.Device && !bytes.Equal(subject, t.throttle.Key.Subject) {
			keys = append(keys, storage.ThrottleKey{Bucket: t.throttle.Key.Bucket, Subject: subject})
		}
	}
	return keys
}

// bucketOf chooses the counter of a usage; "" counts in none. What anybody can try
// who knows a name never counts where the second factor does. Enrolling with a wrong
// code guesses nothing: the secret is on the caller's own screen.
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

// newTry prepares an answer to be counted.
func (v *Verifier) newTry(visit mfa.Caller, m mfa.Method, a mfa.Attempt, w whom, client storage.ClientID) try {
	i := m.Info()
	bucket := bucketOf(i, a.Usage)
	if bucket != throttle.Password && bucket != throttle.Passwordless {
		w.name = nil // who is asked for a second factor has proven whose it is
	}
	t := try{method: m, attempt: a, who: w, address: v.address(visit, w), failed: mfa.EventMFAFailed, locked: mfa.EventMFALocked,
		about: storage.Event{UserID: w.user, ClientID: client, Detail: map[string]string{"method": i.Name, "usage": a.Usage}}}
	if i.Bucket == throttle.Password {
		t.failed, t.locked = mfa.EventPasswordFailed, mfa.EventPasswordLocked
	}
	if bucket != "" && w.subject != nil {
		th := v.throttle(visit, bucket, w)
		t.throttle, t.name = &th, typed(th, w)
	}
	return t
}
