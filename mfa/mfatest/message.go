package mfatest

import (
	"context"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// SentCode returns the code of the newest message to an address, and how many with codes were
// sent there.
func (r *Services) SentCode(address string) (string, int) {
	r.t.Helper()
	ctx := context.Background()
	list, err := r.Store.ListMessages(ctx, storage.MessageFilter{Limit: 1000})
	must(r.t, err)
	var newest storage.MessageID
	n := 0
	for _, m := range list {
		if m.Recipient == address && m.Template == notice.Code {
			newest = max(newest, m.ID)
			n++
		}
	}
	if n == 0 {
		return "", 0
	}
	m, err := r.Store.Message(ctx, newest)
	must(r.t, err)
	return m.Data["code"], n
}

// Deliver settles the undelivered mail to an address, as the worker does: a provider took it,
// or it was given up.
func (r *Services) Deliver(address string, taken bool, now time.Time) {
	r.t.Helper()
	ctx := context.Background()
	ms, err := r.Store.LeaseMessages(ctx, storage.Lease{Kind: notice.Mail, Now: now, For: time.Minute, Limit: 1000})
	must(r.t, err)
	for _, m := range ms {
		if m.Recipient == address {
			must(r.t, r.Store.SettleMessage(ctx, storage.Delivery{ID: m.ID, Attempt: m.Attempts, OK: taken, Dead: !taken, Now: now}))
		}
	}
}

// ResetFactors resets the factors of a user, and returns the code of the administrator.
func (r *Services) ResetFactors(user storage.UserID) string {
	r.t.Helper()
	a, err := r.Store.Account(context.Background(), user)
	must(r.t, err)
	code, err := r.Users.ResetFactors(context.Background(), mfa.Caller{Actor: users.ActorAdmin}, a)
	must(r.t, err)
	return code
}

// Sent returns the messages of a template, newest first.
func (r *Services) Sent(template string) []storage.Message {
	r.t.Helper()
	list, err := r.Store.ListMessages(context.Background(), storage.MessageFilter{Limit: 1000})
	must(r.t, err)
	var out []storage.Message
	for _, found := range list {
		if found.Template == template {
			m, err := r.Store.Message(context.Background(), found.ID)
			must(r.t, err)
			out = append(out, m)
		}
	}
	return out
}
