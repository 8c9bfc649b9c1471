package provider

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/delivery"
	"sallyport/mfa/session"
	"sallyport/mfa/throttle"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

const (
	// WaitingPath opens the login for a request that waits for its user, and the next three are the pages
	// where it ends: the last one for another user, who decides nothing.
	WaitingPath                           = "/waiting"
	WaitingAllowedPath, WaitingDeniedPath = "/waiting/allowed", "/waiting/denied"
	WaitingLeftPath                       = "/waiting/left"
	// WaitingKind is that of the jobs in the outbox that tell users of such requests.
	WaitingKind = "backchannel_waiting"
	// waitingRequest is the key of the request in a job.
	waitingRequest = "request"
	// maxWaiting is how many requests users are shown.
	maxWaiting = 20
)

// Waiting is a request of a client that waits for its user.
type Waiting struct {
	ID      storage.PolledID
	Client  storage.Client
	Message string // the binding_message; "": none
	Address string // of the client; "": not known
	Country string // of Address; "": not known
	Since   time.Time
	Until   time.Time
}

// Waiting returns the requests that wait for a user, the newest first.
func (p *Provider) Waiting(ctx context.Context, user storage.UserID) ([]Waiting, error) {
	list, err := p.store.PolledOf(ctx, user, p.now(), maxWaiting)
	if err != nil {
		return nil, mfa.Wrap("read waiting requests", err)
	}
	var out []Waiting
	for _, r := range list {
		c, err := p.clients.Enabled(ctx, r.ClientID)
		if err != nil {
			return nil, mfa.Wrap("read client", err)
		}
		if c == nil || !c.MayUse(r.GrantType) {
			continue
		}
		out = append(out, Waiting{ID: r.ID, Client: c.Client, Message: r.Details.Message, Address: r.Details.Address, Country: r.Details.Country, Since: r.CreatedAt, Until: r.ExpiresAt})
	}
	return out, nil
}

// BeginWaiting opens a login of this browser for a request that waits for the user who is signed in. The
// login is an ordinary one, and asks before it ends. RequestOver: the request is over, or another user's.
func (p *Provider) BeginWaiting(ctx context.Context, id storage.PolledID, v mfa.Caller, s *session.SignedIn) (Begun, error) {
	found, err := p.waitingFor(ctx, id, s.Account.User.ID)
	if err != nil {
		return Begun{}, err
	}
	c, err := p.clients.Enabled(ctx, found.ClientID)
	if err != nil {
		return Begun{}, mfa.Wrap("read client", err)
	}
	if c == nil {
		return Begun{}, &mfa.Error{Code: mfa.RequestOver, Err: errors.New("its client was deleted or disabled")}
	}
	if err := p.options.Admit.Spend(v, budget.Opens, 1); err != nil {
		return Begun{}, err
	}
	return p.openPolled(ctx, c, found, v, s)
}

// RefuseWaiting ends a request that waits for a user, who need not look at it more closely for that.
// RequestOver: it is over, or another user's.
func (p *Provider) RefuseWaiting(ctx context.Context, id storage.PolledID, v mfa.Caller, o mfa.Owner) error {
	user := o.Account.User.ID
	found, err := p.waitingFor(ctx, id, user)
	if err != nil {
		return err
	}
	event := p.journal.Event(v, storage.Event{Kind: mfa.EventBackchannelRefused, Outcome: mfa.OutcomeOK, UserID: user, SessionID: o.Session, ClientID: found.ClientID})
	err = p.store.DenyPolled(ctx, storage.PolledDenial{ID: id, User: user, Messages: p.ping(&found, found.ExpiresAt), Events: []storage.Event{event}, Now: p.now()})
	return mfa.Refuse("refuse request", err, storage.ErrConflict, mfa.RequestOver)
}

// waitingFor returns a request that waits for a user.
func (p *Provider) waitingFor(ctx context.Context, id storage.PolledID, user storage.UserID) (storage.PolledRequest, error) {
	found, err := p.store.Polled(ctx, id, p.now())
	if err == nil && (user == "" || found.UserID != user) {
		err = storage.ErrNotFound
	}
	return found, mfa.Refuse("read waiting request", err, storage.ErrNotFound, mfa.RequestOver)
}

// ping returns the message to the client of a request that ends, if it wants one (CIBA section 10.2).
func (p *Provider) ping(r *storage.PolledRequest, until time.Time) []storage.Message {
	if r == nil || r.Details.Ping == nil {
		return nil
	}
	now := p.now()
	return []storage.Message{{ID: storage.MessageID(storage.TimeOrdered(now, p.random)), Kind: storage.BackchannelPing, Recipient: string(r.ClientID),
		Data: map[string]string{storage.PingCode: r.Details.Ping.Code, storage.PingToken: r.Details.Ping.Token}, CreatedAt: now, NextAt: now, ExpiresAt: until}}
}

// takeBack takes an approved request off the count of those that a client made for a user.
func (p *Provider) takeBack(ctx context.Context, r *storage.PolledRequest) {
	if r == nil || r.Details.Counted == "" {
		return
	}
	counter := p.backchannelCounter(throttle.Backchannel, r.ClientID, r.Details.Counted)
	if err := p.store.Spend(ctx, storage.Spend{Now: p.now(), Forgive: []storage.ThrottleKey{counter.Key}}); err != nil {
		p.log.WarnContext(ctx, "an approved request stays counted", "error", err)
	}
}

// Announcer tells users of requests that wait for them. It implements delivery.Sender for jobs of
// WaitingKind, so that the client learns nothing from the time that this takes.
type Announcer struct{ p *Provider }

// Announcer returns the Announcer.
func (p *Provider) Announcer() *Announcer { return &Announcer{p} }

// Repeatable implements delivery.Sender: the messages of a job have the same IDs every time.
func (*Announcer) Repeatable() bool { return true }

// Send implements delivery.Sender. There is nobody to tell of a request that is over, or was never for
// anybody. A user gets five messages an hour, whatever clients do: the account page has all requests.
func (a *Announcer) Send(ctx context.Context, m delivery.Outgoing) error {
	p, now := a.p, a.p.now()
	found, err := p.store.Polled(ctx, storage.PolledID(m.Data[waitingRequest]), now)
	if isNotFound(err) || err == nil && found.UserID == "" {
		return nil
	}
	if err != nil {
		return &delivery.Retry{Reason: "storage"}
	}
	account, err := p.store.Account(ctx, found.UserID)
	if isNotFound(err) || err == nil && !account.User.In() {
		return nil
	}
	if err != nil {
		return &delivery.Retry{Reason: "storage"}
	}
	c, err := p.clients.Enabled(ctx, found.ClientID)
	if err != nil {
		return &delivery.Retry{Reason: "storage"}
	}
	if c == nil {
		return nil
	}
	locale := ""
	if wanted := oauth.Fields(found.Details.Params.Get("ui_locales")); len(wanted) > 0 {
		locale = wanted[0]
	}
	messages := p.verifier.Waiting(&account, c.ShownAnywhere().Name, locale)
	for i := range messages {
		sum := sha256.Sum256([]byte("waiting request|" + string(found.ID) + "|" + strconv.Itoa(i)))
		messages[i].ID, messages[i].ExpiresAt = storage.FromBytes[storage.MessageID]([16]byte(sum[:16])), found.ExpiresAt
	}
	counter := storage.Throttle{Key: storage.ThrottleKey{Bucket: throttle.SendHour, Subject: p.keyring.Hash(WaitingKind, string(found.UserID))}, Schedule: throttle.Schedule(throttle.SendHour)}
	err = p.store.PutMessages(ctx, messages, []storage.Throttle{counter}, now)
	if err == nil || errors.Is(err, storage.ErrConflict) { // done before, or enough for now
		return nil
	}
	return &delivery.Retry{Reason: "storage"}
}
