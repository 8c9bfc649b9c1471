package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// lateness is how long a try outlives its code, so that an expired code is recognized.
const lateness = 10 * time.Minute

// recipient is who gets a code, for the limits of messages.
type recipient struct {
	method  string
	address string // "": a decoy
	user    storage.UserID
	// proven: the caller is the user, and codes sent to the address have come back. Others
	// cannot use up the limits of a proven address.
	proven bool
	name   []byte // digest of the typed name, while no user is identified
}

// counters returns the counters of messages.
//
// Before a user is identified a caller sees those of the typed name, and of the network.
// SendAddress sums over the names of an address: its refusal must not be visible.
func (v *Verifier) counters(caller mfa.Caller, r recipient) []storage.Throttle {
	subject := r.method + "|" + input.SameName(r.address)
	switch {
	case r.proven:
		subject = "owner|" + string(r.user) + "|" + subject
		return []storage.Throttle{v.counter(throttle.Send, subject), v.counter(throttle.SendHour, subject), v.counter(throttle.SendCaller, string(r.user))}
	case r.user != "":
		return []storage.Throttle{v.counter(throttle.Send, subject), v.counter(throttle.SendAddress, subject), v.counter(throttle.SendCaller, string(r.user))}
	}
	name := "name|" + r.method + "|" + string(r.name)
	out := []storage.Throttle{v.counter(throttle.Send, name), v.counter(throttle.SendHour, name)}
	if network := caller.Network(); network != "" {
		out = append(out, v.counter(throttle.SendNetwork, network))
	}
	if r.address == "" {
		subject = "decoy|" + name
	}
	return append(out, v.counter(throttle.SendAddress, subject))
}

// statementsOf returns how many statements a message of a method takes: its own and, of a text
// message, the count of its country.
func (v *Verifier) statementsOf(method string) int {
	if v.AddressKind(method) == storage.Phone {
		return 2
	}
	return 1
}

func (v *Verifier) counter(bucket, subject string) storage.Throttle {
	return storage.Throttle{Key: storage.ThrottleKey{Bucket: bucket, Subject: v.keyring.Hash("send", subject)}, Schedule: throttle.Schedule(bucket)}
}

// initiate stores a new status, and counts and sends its message.
func (v *Verifier) initiate(ctx context.Context, n storage.NewStatus, hidden bool) error {
	err := v.store.Initiate(ctx, n, n.Status.CreatedAt)
	refused, ok := errors.AsType[*storage.RefusedError](err)
	if !ok {
		return err
	}
	if hidden && (refused.Bucket == throttle.SendAddress || refused.Bucket == throttle.SendCountry) {
		n.Messages, n.Toll, n.Idle = nil, nil, v.statementsOf(n.Status.Method)
		n.Sends = slices.DeleteFunc(slices.Clone(n.Sends), func(t storage.Throttle) bool { return t.Key.Bucket == throttle.SendAddress })
		return v.initiate(ctx, n, false)
	}
	return v.tooManyMessages(n.Status.Method, refused.Refusal, n.Status.CreatedAt)
}

// shownKeys returns the keys of the counters whose waits the caller may see: not of a hidden address.
func shownKeys(sends []storage.Throttle, hidden bool) []storage.ThrottleKey {
	var keys []storage.ThrottleKey
	for _, s := range sends {
		if !hidden || s.Key.Bucket != throttle.SendAddress {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// pause returns how long counters allow no other code.
func (v *Verifier) pause(ctx context.Context, keys []storage.ThrottleKey, now time.Time) (time.Duration, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	waits, err := v.store.Waits(ctx, keys, now)
	if err != nil {
		return 0, fmt.Errorf("read counters of messages: %w", err)
	}
	var out time.Duration
	for _, w := range waits {
		out = max(out, w.Until.Sub(now))
	}
	return out, nil
}

// tooManyMessages reports the refusal of a counter of messages.
func (v *Verifier) tooManyMessages(method string, r storage.Refusal, now time.Time) *mfa.Error {
	if v.o.Throttled != nil {
		v.o.Throttled(method, r.Bucket)
	}
	return &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: max(r.Until.Sub(now), time.Second)}
}
