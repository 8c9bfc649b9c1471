package messages_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/messages"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// outbox is a Registry with helpers that bring messages into states.
type outbox struct {
	*mfatest.Fixture
	*messages.Registry
}

func newOutbox(t *testing.T) *outbox {
	h := mfatest.New(t)
	return &outbox{h, messages.New(h.Store, h.Journal, h.Now)}
}

// post stores a message that lives for ten minutes.
func (o *outbox) post(template string) storage.MessageID {
	o.T.Helper()
	now := o.Now()
	m := storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, rand.Reader)), Kind: notice.Mail, Recipient: mfatest.Email, Template: template,
		Locale: "en", Data: map[string]string{"code": "918273"}, CreatedAt: now, NextAt: now, ExpiresAt: now.Add(10 * time.Minute)}
	o.ok(o.Store.Spend(context.Background(), storage.Spend{Now: now, Messages: []storage.Message{m}}))
	return m.ID
}

// leased leases all due messages.
func (o *outbox) leased() map[storage.MessageID]storage.Message {
	o.T.Helper()
	list, err := o.Store.LeaseMessages(context.Background(), storage.Lease{Kind: notice.Mail, Now: o.Now(), For: time.Minute, Limit: 100})
	o.ok(err)
	out := map[storage.MessageID]storage.Message{}
	for _, m := range list {
		out[m.ID] = m
	}
	return out
}

// ended leases a message and settles it.
func (o *outbox) ended(id storage.MessageID, d storage.Delivery) {
	o.T.Helper()
	d.ID, d.Attempt, d.Now = id, o.leased()[id].Attempts, o.Now()
	o.ok(o.Store.SettleMessage(context.Background(), d))
}

func (o *outbox) ok(err error) {
	o.T.Helper()
	if err != nil {
		o.T.Fatal(err)
	}
}

func TestMessagesAreResentAndDroppedOnlyInAFittingState(t *testing.T) {
	for _, tc := range []struct {
		name, template string
		become         func(o *outbox, id storage.MessageID)
		resend, drop   error
	}{
		{"waiting", notice.Code, func(*outbox, storage.MessageID) {}, nil, nil},
		{"retrying", notice.Code, func(o *outbox, id storage.MessageID) {
			o.ended(id, storage.Delivery{NextAt: o.Now().Add(time.Minute), Error: "451"})
		}, nil, nil},
		{"given up", notice.Code, func(o *outbox, id storage.MessageID) { o.ended(id, storage.Delivery{Dead: true, Error: "550"}) }, nil, nil},
		{"an expired code", notice.Code, func(o *outbox, _ storage.MessageID) { o.Advance(10 * time.Minute) }, messages.ErrExpired, nil},
		{"an expired notice", notice.PasswordChanged, func(o *outbox, _ storage.MessageID) { o.Advance(10 * time.Minute) }, nil, nil},
		{"delivered", notice.PasswordChanged, func(o *outbox, id storage.MessageID) { o.ended(id, storage.Delivery{OK: true}) }, messages.ErrDelivered, messages.ErrDelivered},
		{"being sent", notice.Code, func(o *outbox, _ storage.MessageID) { o.leased() }, messages.ErrSending, messages.ErrSending},
		{"sent, with an unknown outcome", notice.Code, func(o *outbox, _ storage.MessageID) { o.leased(); o.Advance(time.Minute) }, nil, nil},
		{"dropped", notice.PasswordChanged, func(o *outbox, id storage.MessageID) { o.ok(o.Drop(context.Background(), o.Caller, id)) }, messages.ErrDropped, messages.ErrDropped},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOutbox(t)
			id := o.post(tc.template)
			tc.become(o, id)
			o.try(o.Resend, id, tc.resend, mfa.EventMessageResent)
			if _, due := o.leased()[id]; due != (tc.resend == nil) {
				t.Errorf("due after the resend: %v", due)
			}
			o = newOutbox(t)
			id = o.post(tc.template)
			tc.become(o, id)
			o.try(o.Drop, id, tc.drop, mfa.EventMessageDropped)
			o.Advance(5 * time.Minute)
			if _, due := o.leased()[id]; due && tc.drop == nil {
				t.Error("a dropped message is sent")
			}
		})
	}
}

// try makes a change and checks its outcome, and that a change that was made, and no other,
// adds a line to the audit trail.
func (o *outbox) try(do func(context.Context, mfa.Caller, storage.MessageID) error, id storage.MessageID, want error, kind string) {
	o.T.Helper()
	lines := func() []storage.Event {
		list, err := o.Store.ListEvents(context.Background(), storage.EventFilter{Kind: kind, Limit: 10})
		o.ok(err)
		return list
	}
	before := len(lines())
	if err := do(context.Background(), o.Caller, id); !errors.Is(err, want) {
		o.T.Errorf("%s: %v, want %v", kind, err, want)
	}
	after := lines()
	if added := len(after) - before; (added == 1) != (want == nil) || added > 1 {
		o.T.Errorf("%s: %d lines in the audit trail", kind, added)
	}
	for _, e := range after {
		if text := string(e.Canonical); strings.Contains(text, mfatest.Email) || strings.Contains(text, "918273") ||
			e.Detail["message"] != string(id) || e.Detail["kind"] != notice.Mail || e.Detail["template"] == "" {
			o.T.Errorf("event = %s", text)
		}
	}
}

func TestResentMessageKeepsItsAttempts(t *testing.T) {
	o := newOutbox(t)
	id := o.post(notice.PasswordChanged)
	o.ended(id, storage.Delivery{Dead: true, Error: "550 no such mailbox"})
	o.ok(o.Resend(context.Background(), o.Caller, id))
	m, err := o.Get(context.Background(), id)
	if err != nil || m.State != storage.MessageRetrying || m.Attempts != 1 || m.LastError != "550 no such mailbox" || !m.ExpiresAt.Equal(o.Now().Add(24*time.Hour)) {
		t.Errorf("message = %+v, %v", m, err)
	}
	if got := o.leased()[id]; got.Attempts != 2 || got.Data["code"] != "918273" {
		t.Errorf("sent = %+v", got)
	}
}

func TestListIsSearchedByTheNameOfTheUser(t *testing.T) {
	o := newOutbox(t)
	id := o.post(notice.Code)
	for recipient, want := range map[string]int{"": 1, mfatest.Email: 1, " ADA@example.com ": 1, mfatest.OtherEmail: 0, "http://x:y": 0} {
		list, err := o.List(context.Background(), storage.MessageFilter{Recipient: recipient, Limit: 10})
		if err != nil || len(list) != want {
			t.Errorf("to %q: %v, %v; want %d", recipient, list, err, want)
		}
		for _, m := range list {
			if m.ID != id || m.Data != nil || !slices.Equal(m.Values, []string{"code"}) {
				t.Errorf("record = %+v, want names and no value", m)
			}
		}
	}
}

func TestUnknownMessagesAreNotFound(t *testing.T) {
	o := newOutbox(t)
	o.post(notice.Code)
	for _, id := range []storage.MessageID{"", "x", storage.MessageID(storage.TimeOrdered(o.Now(), rand.Reader))} {
		_, err := o.Get(context.Background(), id)
		for what, err := range map[string]error{"get": err, "resend": o.Resend(context.Background(), o.Caller, id), "drop": o.Drop(context.Background(), o.Caller, id)} {
			if !errors.Is(err, messages.ErrNotFound) {
				t.Errorf("%s of %q: %v, want %v", what, id, err, messages.ErrNotFound)
			}
		}
	}
}

func TestOneOfManyOperatorsDropsAMessage(t *testing.T) {
	o := newOutbox(t)
	id := o.post(notice.Code)
	errs := make([]error, 16)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = o.Drop(context.Background(), o.Caller, id) })
	}
	all.Wait()
	dropped := 0
	for _, err := range errs {
		switch {
		case err == nil:
			dropped++
		case !errors.Is(err, messages.ErrDropped) && !errors.Is(err, messages.ErrChanged):
			t.Error(err)
		}
	}
	if dropped != 1 {
		t.Errorf("%d operators dropped it, want 1", dropped)
	}
}
