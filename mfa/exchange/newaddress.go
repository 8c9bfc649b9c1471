package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// NewAddress is an e-mail address or phone number that a signed-in user wants to prove. Until a
// code comes back from it, it is part of a status only: no account has it.
type NewAddress struct {
	Identifier storage.Identifier
	Replaces   storage.IdentifierID // the user's address that it takes the place of; "": none
	// Holder, if not nil, is the account that has proven the address. It gets a message instead of
	// a code, and no response is right.
	Holder *storage.Account
}

// AddressSent is a code on its way to a new address.
type AddressSent struct {
	Exchange storage.ExchangeID
	Method   string
	Address  string // as the user named it
	Digits   int
	Pause    time.Duration // until another code can be sent; 0 if returned by AddressPending
	Replaces storage.IdentifierID
}

// pendingAddress is a NewAddress in the data of a status.
type pendingAddress struct {
	Identifier storage.Identifier   `json:"identifier"`
	Replaces   storage.IdentifierID `json:"replaces,omitempty"`
	Taken      bool                 `json:"taken,omitempty"`
}

// MethodFor returns the method that sends codes to a kind of address; "": there is none.
func (v *Verifier) MethodFor(kind storage.IdentifierKind) string {
	i := slices.IndexFunc(v.infos, func(i mfa.Info) bool { return v.AddressKind(i.Name) == kind && kind != "" })
	if i < 0 {
		return ""
	}
	return v.infos[i].Name
}

// SendToAddress sends a code to a new address of a signed-in user. What it does, counts and
// returns does not depend on whether another account has the address. It returns
// ReauthenticationRequired as CheckFresh does, NotConfigured, AddressNotAllowed or TooManyMessages.
func (v *Verifier) SendToAddress(ctx context.Context, caller mfa.Caller, o mfa.Owner, n NewAddress) (AddressSent, error) {
	if err := v.CheckFresh(o); err != nil {
		return AddressSent{}, err
	}
	m, ok := v.methods[v.MethodFor(n.Identifier.Kind)].(mfa.Addressed)
	if !ok {
		return AddressSent{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	now, info, user := v.now(), m.Info(), o.Account.User.ID
	begun, err := m.BeginFor(mfa.Destination{Address: n.Identifier.Text(), TTL: v.o.EnrollTTL, Digits: mfa.AddressDigits, Locale: notice.Locale(&o.Account, caller.Locale), Now: now})
	if err != nil {
		return AddressSent{}, fmt.Errorf("begin %s: %w", info.Name, err)
	}
	if begun.Message == nil {
		return AddressSent{}, &mfa.Error{Code: mfa.AddressNotAllowed}
	}
	if n.Holder != nil {
		notice.Instead(begun.Message, n.Holder, notice.AddressTaken)
	}
	s := storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: storage.ExchangeID(storage.Random128(v.random)),
		ClientID: o.Client, UserID: user, Method: info.Name, Usage: mfa.UsageAddress, Browser: v.browser(caller), State: storage.StatusInitiated,
		CreatedAt: now, ExpiresAt: now.Add(v.o.EnrollTTL)}
	data := statusData{Subject: v.subjectOf(&o.Account, "").hash, User: user, Session: o.Session, Basis: v.basis(o),
		Address: &pendingAddress{Identifier: n.Identifier, Replaces: n.Replaces, Taken: n.Holder != nil}}
	stored := storage.NewStatus{Sends: v.counters(caller, recipient{method: info.Name, address: begun.Message.Recipient, user: user})}
	data.add(&stored, begun)
	if s.Data, err = json.Marshal(data); err != nil {
		return AddressSent{}, fmt.Errorf("write status: %w", err)
	}
	stored.Status = s
	about := storage.Event{UserID: user, ClientID: o.Client, SessionID: o.Session, Detail: map[string]string{"method": info.Name, "usage": mfa.UsageAddress}}
	stored.Events = []storage.Event{v.event(caller, about, mfa.EventMFAInitiated, mfa.OutcomeOK, "")}
	if err := v.initiate(ctx, stored, false); err != nil {
		return AddressSent{}, err
	}
	v.initiations.Add(1)
	pause, err := v.pause(ctx, shownKeys(stored.Sends, false), now)
	return AddressSent{Exchange: s.Exchange, Method: info.Name, Address: n.Identifier.Text(), Digits: mfa.AddressDigits, Pause: pause, Replaces: n.Replaces}, err
}

// AddressPending returns a code that was sent by SendToAddress again, and EnrollmentExpired if it
// is over, or was sent in another session.
func (v *Verifier) AddressPending(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.ExchangeID) (AddressSent, error) {
	s, _, err := v.pendingAddress(ctx, caller, o, id)
	if err != nil {
		return AddressSent{}, err
	}
	p := v.dataOf(s).Address
	return AddressSent{Exchange: id, Method: s.Method, Address: p.Identifier.Text(), Digits: mfa.AddressDigits, Replaces: p.Replaces}, nil
}

func (v *Verifier) pendingAddress(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.ExchangeID) (storage.Status, *storage.Account, error) {
	over := &mfa.Error{Code: mfa.EnrollmentExpired}
	s, account, err := v.findPending(ctx, caller, id)
	if mfa.CodeOf(err) == mfa.InvalidExchange {
		return s, nil, over
	}
	if err == nil && (s.Usage != mfa.UsageAddress || account == nil || !account.User.In() || !v.belongsTo(SignedIn(o), s, account.User.ID) || v.dataOf(s).Address == nil) {
		err = over
	}
	return s, account, err
}

// ProveAddress checks the code of a new address. change returns what a right one changes of the
// user, who is read again.
func (v *Verifier) ProveAddress(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.ExchangeID, text mfa.Response,
	change func(account storage.Account, n NewAddress) (storage.UserChange, error)) error {
	s, account, err := v.pendingAddress(ctx, caller, o, id)
	if err != nil {
		return err
	}
	o.Account = *account
	if err := v.checkFresh(SignedIn(o), v.o.EnrollTTL); err != nil {
		return err
	}
	r, err := v.responseTo(caller, s, account, id, text)
	if err != nil {
		return err
	}
	r.conflict = mfa.RequestChanged
	data := v.dataOf(s)
	r.spend = func(_ context.Context, spend *storage.Spend, t try, proof mfa.Proof) error {
		if data.Address.Taken {
			return &mfa.Error{Code: mfa.InvalidPasscode}
		}
		c, err := change(*account, NewAddress{Identifier: data.Address.Identifier, Replaces: data.Address.Replaces})
		if err != nil {
			return err
		}
		spend.Change, spend.Basis = &c, data.Basis
		spend.Status = &storage.StatusMove{Exchange: id, From: storage.StatusInitiated, To: storage.StatusRedeemed, User: proof.User, Method: s.Method, Usage: s.Usage}
		// It takes back its own count alone: guesses at the codes of other addresses, and at factors, stay
		// counted.
		spend.Reset, spend.TakeBack, spend.Forgive = nil, nil, t.userCounter()
		return nil
	}
	return v.process(ctx, caller, r)
}
