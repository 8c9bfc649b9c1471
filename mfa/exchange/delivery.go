package exchange

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Delivery is the state of a message with a code.
type Delivery string

// The states of a message. Only a provider's acceptance makes it sent.
const (
	DeliverySending Delivery = "sending"
	DeliverySent    Delivery = "sent"
	DeliveryFailed  Delivery = "failed" // it will not arrive: choose another way, or send another one
)

// Delivery returns the state of the message of an exchange. Before a user is identified it is
// always DeliverySending. InvalidExchange: there is no such exchange, or nothing was sent.
func (v *Verifier) Delivery(ctx context.Context, caller mfa.Caller, id storage.ExchangeID) (Delivery, error) {
	s, _, err := v.findPending(ctx, caller, id)
	if err != nil {
		return "", err
	}
	return v.deliveryOf(ctx, s)
}

// DeliveryIn is Delivery for an exchange of a login, or of the session of a signed-in user.
func (v *Verifier) DeliveryIn(ctx context.Context, caller mfa.Caller, e Enrollee, id storage.ExchangeID) (Delivery, error) {
	s, _, err := v.findPending(ctx, caller, id)
	if err != nil {
		return "", err
	}
	if e.login != nil && !v.ofRequest(s, e.login.Request.ID) || e.login == nil && !v.belongsTo(e, s, s.UserID) {
		return "", &mfa.Error{Code: mfa.InvalidExchange}
	}
	return v.deliveryOf(ctx, s)
}

func (v *Verifier) deliveryOf(ctx context.Context, s storage.Status) (Delivery, error) {
	data := v.dataOf(s)
	i, _ := v.Info(s.Method)
	switch {
	case i.Sends && s.Usage != mfa.UsageSecond && s.Usage != mfa.UsageEnroll && s.Usage != mfa.UsageAddress:
		return DeliverySending, nil // of a decoy, too
	case data.Message == "":
		return "", &mfa.Error{Code: mfa.InvalidExchange}
	}
	m, err := v.store.Message(ctx, data.Message)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return DeliveryFailed, nil
	case err != nil:
		return "", fmt.Errorf("read message: %w", err)
	case !m.DeliveredAt.IsZero():
		return DeliverySent, nil
	case !m.DeadAt.IsZero():
		return DeliveryFailed, nil
	}
	return DeliverySending, nil
}
