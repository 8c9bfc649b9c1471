package exchange

import (
	"context"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Sent is a code that a browser waits for in a login, so that its page can be shown again.
type Sent struct {
	Exchange   storage.ExchangeID
	Method     string
	Identifier string   // the typed name, canonical; "": a user is identified
	Left       int      // responses that are still compared
	Delivery   Delivery // of its message
	Pause      time.Duration
	ExpiresAt  time.Time // of a code that was sent; zero: none was
}

// Sent returns the newest code that this browser had sent in a login with the usage and, if given,
// the method of a choice. It writes nothing, and returns InvalidExchange if there is none. Codes of
// callers without the binding cookie of this browser are not found, whoever's request it is.
func (v *Verifier) Sent(ctx context.Context, caller mfa.Caller, p Login, c Choice) (Sent, error) {
	invalid := &mfa.Error{Code: mfa.InvalidExchange}
	if caller.Browser == "" || p.Request.Initiations == 0 {
		return Sent{}, invalid
	}
	now := v.now()
	s, err := v.store.SentStatus(ctx, storage.SentQuery{Request: p.Request.ID, Browser: v.keyring.Hashes("browser", caller.Browser),
		Usage: c.Usage, Method: c.Method, Now: now})
	if err != nil {
		return Sent{}, mfa.Refuse("read status", err, storage.ErrNotFound, mfa.InvalidExchange)
	}
	data, ends := v.dataOf(s), s.ExpiresAt
	i, _ := v.Info(s.Method)
	if i.Sends {
		ends = ends.Add(-lateness)
	}
	ofOther := p.Request.Subject != "" && s.UserID != "" && p.Request.Subject != s.UserID
	if data.Exchange == "" || !ends.After(now) || ofOther || c.Authenticator != "" && c.Authenticator != s.Authenticator {
		return Sent{}, invalid
	}
	out := Sent{Exchange: data.Exchange, Method: s.Method, Identifier: data.Identifier, Left: v.o.MaxAttempts - s.Attempts}
	if !i.Sends {
		return out, nil
	}
	out.ExpiresAt = ends
	if out.Delivery, err = v.deliveryOf(ctx, s); err != nil {
		return Sent{}, err
	}
	if out.Pause, err = v.pause(ctx, data.Pauses, now); err != nil {
		return Sent{}, fmt.Errorf("pause of the next code: %w", err)
	}
	return out, nil
}
