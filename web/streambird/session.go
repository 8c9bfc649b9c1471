package streambird

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"time"

	"sallyport/mfa/backend"
	"sallyport/provider/sessionjwt"
	"sallyport/provider/signing"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/web/wireid"
)

// Bounds of session_expires_in, in minutes.
const (
	shortestSession = 5
	longestSession  = 525600
)

// longestJWT is how long a JWT lives at most, whatever its session does (G-30).
const longestJWT = 24 * time.Hour

// sessionBody is a session. A JWT and a list have it without the token.
type sessionBody struct {
	ID           string       `json:"id"`
	User         string       `json:"user_id"`
	Token        string       `json:"session_token,omitempty"`
	StartedAt    int64        `json:"started_at"`
	ExpiresAt    int64        `json:"expires_at"`
	LastActiveAt int64        `json:"last_active_at"`
	Factors      []factorBody `json:"factors"`
	Device       deviceBody   `json:"device_fingerprint"`
	UpdatedAt    int64        `json:"updated_at"`
	CreatedAt    int64        `json:"created_at"`
}

type deviceBody struct {
	UserAgent string `json:"user_agent"`
	IP        string `json:"ip"`
}

// sessionPart is the part of a response about a session.
type sessionPart struct {
	Token   string      `json:"session_token"`
	JWT     string      `json:"session_jwt"`
	Session sessionBody `json:"session"`
}

// claims of a JWT. The library for Node reads the session under the name with the address,
// others under the short one.
type claims struct {
	Expiry    int64       `json:"exp"`
	IssuedAt  int64       `json:"iat"`
	NotBefore int64       `json:"nbf"`
	Issuer    string      `json:"iss"`
	ID        string      `json:"jti"`
	Subject   string      `json:"sub"`
	Session   sessionBody `json:"session"`
	Named     sessionBody `json:"https://streambird.io/jwt/session"`
}

// NewSigner returns the signer of the dialect's JWTs.
func NewSigner(keyring *seal.Keyring, random io.Reader) *sessionjwt.Signer {
	return sessionjwt.New(keyring, random, signing.Form{KID: wireid.StreambirdKey, Detailed: true})
}

func (s *Surface) sessionBody(x storage.Session, a storage.Account) sessionBody {
	return sessionBody{ID: sessionID(x), User: userID(a.User), StartedAt: x.CreatedAt.Unix(), ExpiresAt: x.ExpiresAt.Unix(),
		LastActiveAt: x.LastSeenAt.Unix(), Factors: s.factors(x, a), Device: deviceBody{x.UserAgent, x.Address},
		UpdatedAt: x.LastSeenAt.Unix(), CreatedAt: x.CreatedAt.Unix()}
}

// sessionPart returns the part of the response to a proof about its session; nil without one.
func (s *Surface) sessionPart(k call, x backend.Proven) (*sessionPart, error) {
	if x.Session == nil {
		return nil, nil
	}
	return s.show(k, *x.Session, x.Account)
}

// show returns a session with its token and a fresh JWT.
func (s *Surface) show(k call, x storage.Session, a storage.Account) (*sessionPart, error) {
	b, now := s.sessionBody(x, a), s.now()
	jwt, err := s.jwts.Sign(claims{Expiry: earlier(x.ExpiresAt, now.Add(s.life)).Unix(), IssuedAt: now.Unix(), NotBefore: now.Unix(),
		Issuer: s.issuerOf(k), ID: b.ID, Subject: b.User, Session: b, Named: b}, now)
	if err != nil {
		return nil, err
	}
	b.Token = s.backend.TokenOf(x)
	return &sessionPart{b.Token, jwt, b}, nil
}

func earlier(x, y time.Time) time.Time {
	if x.Before(y) {
		return x
	}
	return y
}

// issuerOf returns the iss of JWTs: the server and the application that the API key belongs to.
func (s *Surface) issuerOf(k call) string {
	return s.host + "/" + url.PathEscape(cmp.Or(k.Key.App, "default"))
}

// named returns the session that a body names by token or JWT. It checks the rest of the body
// first, so that a malformed call reads nothing.
func (s *Surface) named(k call, in body) (backend.SessionUse, error) {
	token, jwt := in.Text("session_token"), in.Text("session_jwt")
	use := backend.SessionUse{Given: token != "" || jwt != "", Duration: in.minutes("session_expires_in", shortestSession, longestSession, 0)}
	if token != "" && jwt != "" {
		in.Fault("session_token", "and session_jwt exclude each other")
	}
	err := in.fault()
	switch {
	case err != nil:
	case token != "":
		use.ID, err = s.backend.SessionIDOf(k.Request.Context(), token)
	case jwt != "":
		use.ID, err = s.sessionOfJWT(jwt)
	}
	return use, err
}

// sessionOfJWT returns the session of a JWT, expired or not; "" if another key signed it. The
// session may have ended.
func (s *Surface) sessionOfJWT(jwt string) (storage.SessionID, error) {
	payload, err := s.jwts.Verify(jwt)
	if errors.Is(err, sessionjwt.ErrInvalid) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return "", nil
	}
	return sessionOf(c.ID), nil
}

// sessionOf returns the session with one of the dialect's IDs; "" names none.
func sessionOf(text string) storage.SessionID {
	id, _ := wireid.FromStreambird[storage.SessionID](wireid.StreambirdSession, text)
	return id
}
