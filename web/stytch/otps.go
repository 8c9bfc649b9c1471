package stytch

import (
	"cmp"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/wireid"
)

// channel is a way to send one-time codes.
type channel struct {
	kind storage.IdentifierKind
	as   wireid.Kind
	name string // of the member with the address
}

var (
	email = channel{storage.Email, wireid.StytchEmail, "email"}
	sms   = channel{storage.Phone, wireid.StytchPhone, "phone_number"}
)

// sending reads what both calls that send a code have in common. refused is what to respond
// once nothing has the wrong type.
func (k *call) sending(ch channel) (n backend.Send, refused error) {
	device, badDevice := k.in.fingerprint()
	n = backend.Send{Kind: ch.kind, Address: k.in.Text(ch.name), Fingerprint: device, Locale: web.Locale(k.c, k.in.Text("locale"))}
	n.TTL, refused = k.in.minutes("expiration_minutes", 1, 10, 2, invalidExpirationOTP)
	return n, cmp.Or(refused, badDevice)
}

// send sends a code to an address of a user, or to a new address for a user or session.
func (s *Surface) send(ch channel) func(*call) (any, error) {
	return func(k *call) (any, error) {
		n, refused := k.sending(ch)
		user := k.in.Text("user_id")
		given := k.in.session()
		if err := k.in.fault(); err != nil {
			return nil, err
		}
		if err := cmp.Or(refused, given.refused); err != nil {
			return nil, err
		}
		if user != "" {
			var err error
			if n.User, err = s.userID(user); err != nil {
				return nil, err
			}
		}
		var err error
		if n.Session, err = s.use(k, given); err != nil {
			return nil, err
		}
		sent, err := s.backend.Send(k, k.caller, n)
		if err != nil {
			return nil, err
		}
		return s.sent(ch, sent, false), nil
	}
}

// loginOrCreate sends a code to an address, and creates a user for an unknown one.
func (s *Surface) loginOrCreate(ch channel) func(*call) (any, error) {
	return func(k *call) (any, error) {
		n, refused := k.sending(ch)
		n.Create, n.Pending = true, k.in.Flag("create_user_as_pending")
		if err := k.in.fault(); err != nil {
			return nil, err
		}
		if refused != nil {
			return nil, refused
		}
		sent, err := s.backend.Send(k, k.caller, n)
		if err != nil {
			return nil, err
		}
		return s.sent(ch, sent, true), nil
	}
}

// sentBody says where a code was sent.
type sentBody struct {
	envelope
	UserID  string `json:"user_id"`
	EmailID string `json:"email_id,omitempty"`
	PhoneID string `json:"phone_id,omitempty"`
	Created *bool  `json:"user_created,omitempty"`
}

func (s *Surface) sent(ch channel, x backend.Sent, creates bool) sentBody {
	b := sentBody{envelope: s.answered(), UserID: wireid.Stytch(wireid.StytchUser, s.environment, x.Account.User.ID)}
	id := wireid.Stytch(ch.as, s.environment, x.Identifier.ID)
	if ch.kind == storage.Phone {
		b.PhoneID = id
	} else {
		b.EmailID = id
	}
	if creates {
		b.Created = &x.Created
	}
	return b
}

func (s *Surface) authenticateOTP(k *call) (any, error) {
	method, code := k.in.Text("method_id"), k.in.Text("code")
	device, badDevice := k.in.fingerprint()
	p, options := backend.Proof{Code: code, Fingerprint: device}, k.in.part("options")
	for _, match := range []struct{ option, member string }{{"ip_match_required", backend.MatchIP}, {"user_agent_match_required", backend.MatchUserAgent}} {
		if options.Flag(match.option) {
			p.Match = append(p.Match, match.member)
		}
	}
	given := k.in.session()
	if err := k.in.fault(); err != nil {
		return nil, err
	}
	id, ch, err := s.method(method)
	if err != nil {
		return nil, err
	}
	if !digits(code, 6) {
		return nil, &fault{invalidCode, nil}
	}
	if err := cmp.Or(badDevice, given.refused); err != nil {
		return nil, err
	}
	p.Identifier = id
	if p.Session, err = s.use(k, given); err != nil {
		return nil, err
	}
	proven, err := s.backend.ProveOTP(k, k.caller, p)
	if mfa.CodeOf(err) == mfa.IdentifierNotFound {
		err = &backend.AddressError{Kind: ch.kind, Err: err}
	}
	if err != nil {
		return nil, err
	}
	b, err := s.proven(k, proven)
	if err != nil {
		return nil, err
	}
	return struct {
		MethodID      string `json:"method_id"`
		ResetSessions bool   `json:"reset_sessions"`
		provenBody
	}{s.identifier(proven.Identifier), false, b}, nil
}

// method reads the ID of an e-mail address or phone number.
func (s *Surface) method(text string) (storage.IdentifierID, channel, error) {
	if id, err := idOf[storage.IdentifierID](s, email.as, text, invalidMethodID); err == nil {
		return id, email, nil
	}
	id, err := idOf[storage.IdentifierID](s, sms.as, text, invalidMethodID)
	return id, sms, err
}
