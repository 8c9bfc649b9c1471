package stytch

import (
	"encoding/json"
	"errors"
	"time"

	"sallyport/mfa/backend"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// Limits of sessions.
const (
	durationLeast = 5      // minutes
	durationMost  = 527040 // minutes: 366 days
)

// given is what a call says about a session.
type given struct {
	token, jwt string
	duration   time.Duration
	claims     map[string]json.RawMessage
	refused    error // what is wrong with the values
}

// session reads what a call says about a session.
func (in input) session() given {
	g := given{token: in.Text("session_token"), jwt: in.Text("session_jwt"), claims: in.claims("session_custom_claims")}
	g.duration, g.refused = in.minutes("session_duration_minutes", durationLeast, durationMost, 0, invalidDuration)
	size, _ := json.Marshal(g.claims)
	switch {
	case g.refused != nil:
	case g.token != "" && g.jwt != "":
		g.refused = &fault{twoSessions, nil}
	case len(size) > backend.MaxClaims:
		g.refused = &fault{claimsTooLarge, nil}
	}
	for name := range g.claims {
		if isReserved(name) {
			delete(g.claims, name)
		}
	}
	return g
}

// use finds the session that a call names. That it is live is checked with the proof, again.
func (s *Surface) use(k *call, g given) (backend.SessionUse, error) {
	u := backend.SessionUse{Given: g.token != "" || g.jwt != "", Duration: g.duration, Claims: g.claims}
	var err error
	switch {
	case g.token != "":
		u.ID, err = s.backend.SessionIDOf(k, g.token)
	case g.jwt != "":
		u.ID, err = s.sessionOf(g.jwt, k.key.Project)
	}
	return u, err
}

// proof reads what the calls that check a response of a user have in common. shape checks the
// response.
func (s *Surface) proof(k *call, shape func() error) (backend.Proof, error) {
	user, g := k.in.Text("user_id"), k.in.session()
	if err := k.in.fault(); err != nil {
		return backend.Proof{}, err
	}
	id, err := s.userID(user)
	if err = errors.Join(err, shape(), g.refused); err != nil {
		return backend.Proof{}, err
	}
	u, err := s.use(k, g)
	return backend.Proof{User: id, Session: u}, err
}

// provenBody is the response to a right response.
type provenBody struct {
	envelope
	UserID  string       `json:"user_id"`
	User    userBody     `json:"user"`
	Session *sessionBody `json:"session"`
	Token   string       `json:"session_token"`
	JWT     string       `json:"session_jwt"`
}

func (s *Surface) proven(k *call, p backend.Proven) (provenBody, error) {
	user, err := s.view(k, p.Account)
	if err != nil {
		return provenBody{}, err
	}
	b := provenBody{envelope: s.answered(), UserID: user.ID, User: user, Token: p.SessionToken}
	if p.Session == nil {
		return b, nil
	}
	shown := s.session(*p.Session, p.Account)
	b.Session = &shown
	b.JWT, err = s.sign(shown, k.key.Project)
	return b, err
}

// authenticateSession checks that a session is live, and extends and changes it.
func (s *Surface) authenticateSession(k *call) (any, error) {
	g := k.in.session()
	if err := k.in.fault(); err != nil {
		return nil, err
	}
	if g.refused != nil {
		return nil, g.refused
	}
	if g.token == "" && g.jwt == "" {
		return nil, &fault{neitherSession, nil}
	}
	u, err := s.use(k, g)
	if err != nil {
		return nil, err
	}
	x, a, err := s.backend.Authenticate(k, k.caller, u)
	if err != nil {
		return nil, err
	}
	user, err := s.view(k, a)
	if err != nil {
		return nil, err
	}
	b := struct {
		envelope
		Session sessionBody `json:"session"`
		Token   string      `json:"session_token"`
		JWT     string      `json:"session_jwt"`
		User    userBody    `json:"user"`
	}{envelope: s.answered(), Session: s.session(x, a), Token: s.backend.TokenOf(x), User: user}
	b.JWT, err = s.sign(b.Session, k.key.Project)
	return b, err
}

// revokeSession ends a session, at once and for every surface.
func (s *Surface) revokeSession(k *call) (any, error) {
	text, g := k.in.Text("session_id"), given{token: k.in.Text("session_token"), jwt: k.in.Text("session_jwt")}
	if err := k.in.fault(); err != nil {
		return nil, err
	}
	n := 0
	for _, t := range []string{text, g.token, g.jwt} {
		if t != "" {
			n++
		}
	}
	if n > 1 {
		return nil, &fault{revokesSeveral, nil}
	}
	if n == 0 {
		return nil, &fault{revokesNone, nil}
	}
	u, err := s.use(k, g)
	if err == nil && text != "" {
		u.ID, err = idOf[storage.SessionID](s, wireid.StytchSession, text, invalidSessionID)
	}
	if err == nil {
		err = s.backend.EndSession(k, k.caller, u.ID)
	}
	return s.answered(), err
}

// sessions lists the live sessions of a user.
func (s *Surface) sessions(k *call) (any, error) {
	user, err := s.userID(k.c.Query("user_id"))
	if err != nil {
		return nil, err
	}
	list, a, err := s.backend.Sessions(k, user)
	if err != nil {
		return nil, err
	}
	b := struct {
		envelope
		Sessions []sessionBody `json:"sessions"`
	}{s.answered(), make([]sessionBody, len(list))}
	for i, x := range list {
		b.Sessions[i] = s.session(x, a)
	}
	return b, nil
}
