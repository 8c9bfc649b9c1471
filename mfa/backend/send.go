package backend

import (
	"context"
	"errors"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// trial is how long an address that a code was sent to belongs to a user without being
// verified.
const trial = 5 * time.Minute

// Send describes a one-time code to send.
type Send struct {
	Kind    storage.IdentifierKind // storage.Email or storage.Phone
	Address string
	TTL     time.Duration
	Locale  string // "": the caller's
	// Create creates a user for an unknown address, Pending as given.
	Create, Pending bool
	// User, if set, gets an unknown address, which is dropped again unless it is verified
	// within five minutes.
	User storage.UserID
	// Session is like User.
	Session     SessionUse
	Fingerprint Fingerprint
}

// Sent is a code on its way.
type Sent struct {
	Account    storage.Account
	Identifier storage.Identifier
	Created    bool // the user
}

// Send sends a code to an address. Earlier codes for it become invalid.
//
// InvalidIdentifier, IdentifierNotFound, IdentifierTaken (User or Session given, and the
// address is another user's; each as AddressError); UserNotFound, also for a disabled user;
// SessionNotFound; OtherUser; TooManyMessages with RetryAfter; NotConfigured: the server has
// no sender for the kind; AddressNotAllowed: text messages to this country are off.
func (s *Service) Send(ctx context.Context, caller mfa.Caller, n Send) (Sent, error) {
	to, err := newAddress(n.Kind, n.Address)
	if err != nil {
		return Sent{}, err
	}
	if n.User, err = s.named(ctx, n); err != nil {
		return Sent{}, err
	}
	for try := 0; ; try++ {
		sent, code, err := s.target(ctx, caller, n, to)
		if err != nil {
			return Sent{}, err
		}
		err = s.verifier.SendCode(ctx, n.Fingerprint.describe(caller), code)
		if mfa.CodeOf(err) == mfa.RequestChanged && try < 3 {
			continue // the address was taken, or a code for it sent, meanwhile
		}
		return sent, err
	}
}

// named returns the user that a Send names, by ID or by a session; "": none.
func (s *Service) named(ctx context.Context, n Send) (storage.UserID, error) {
	user := n.User
	if user != "" {
		if _, err := s.User(ctx, user); err != nil {
			return "", err
		}
	}
	if !n.Session.Given {
		return user, nil
	}
	x, _, err := s.SessionByID(ctx, n.Session.ID)
	if err == nil && user != "" && x.UserID != user {
		err = &mfa.Error{Code: mfa.OtherUser}
	}
	return x.UserID, err
}

// target returns the address to send to, with what is created with the code.
func (s *Service) target(ctx context.Context, caller mfa.Caller, n Send, to address) (Sent, exchange.Code, error) {
	c := exchange.Code{Method: methodOf(n.Kind), TTL: n.TTL, Locale: n.Locale,
		Device: map[string]string{MatchIP: n.Fingerprint.IP, MatchUserAgent: n.Fingerprint.UserAgent}}
	if c.Locale == "" {
		c.Locale = caller.Locale
	}
	account, err := s.store.AccountByIdentifier(ctx, to.value, s.now())
	var out Sent
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return Sent{}, c, mfa.Wrap("read user", err)
	case err == nil && n.User != "" && account.User.ID != n.User:
		return Sent{}, c, &AddressError{n.Kind, &mfa.Error{Code: mfa.IdentifierTaken}}
	case err == nil && account.User.Status == storage.UserDisabled:
		return Sent{}, c, &mfa.Error{Code: mfa.UserNotFound}
	case err == nil:
		out = Sent{Account: account}
	case n.User != "":
		if account, err = s.User(ctx, n.User); err != nil {
			return Sent{}, c, err
		}
		i, err := s.newIdentifier(account.User.ID, to, s.now().Add(trial))
		if err != nil {
			return Sent{}, c, err
		}
		account.Identifiers = append(account.Identifiers, i)
		c.NewIdentifier, out = &i, Sent{Account: account}
	case n.Create:
		if err := to.checkNew(); err != nil {
			return Sent{}, c, err
		}
		u, err := s.users.New(ctx, caller, draftOf(n))
		if mfa.CodeOf(err) == mfa.InvalidIdentifier {
			err = &AddressError{n.Kind, err}
		}
		if err != nil {
			return Sent{}, c, err
		}
		c.NewUser, out = &u, Sent{Account: storage.Account{User: u.User, Identifiers: u.Identifiers}, Created: true}
	default:
		return Sent{}, c, &AddressError{n.Kind, &mfa.Error{Code: mfa.IdentifierNotFound}}
	}
	for _, i := range out.Account.Identifiers {
		if i.Value == to.value {
			out.Identifier = i
		}
	}
	c.User, c.Identifier = out.Account.User.ID, out.Identifier
	return out, c, nil
}

func draftOf(n Send) users.Draft {
	d := users.Draft{Email: n.Address}
	if n.Kind == storage.Phone {
		d.Email, d.Phone = "", n.Address
	}
	if n.Pending {
		d.Status = storage.UserPending
	}
	return d
}

// identifier returns an e-mail address or phone number by its ID, with its user.
// IdentifierNotFound.
func (s *Service) identifier(ctx context.Context, id storage.IdentifierID) (storage.Account, storage.Identifier, error) {
	account, err := s.store.AccountByIdentifierID(ctx, id, s.now())
	if err != nil {
		return account, storage.Identifier{}, mfa.Refuse("read user", err, storage.ErrNotFound, mfa.IdentifierNotFound)
	}
	for _, i := range account.Identifiers {
		if i.ID == id && i.Kind != storage.Username {
			return s.current(account), i, nil
		}
	}
	return account, storage.Identifier{}, &mfa.Error{Code: mfa.IdentifierNotFound}
}
