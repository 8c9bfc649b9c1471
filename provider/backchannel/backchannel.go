// Package backchannel tells clients that sessions have ended (OpenID Connect Back-Channel Logout
// 1.0), and that requests they wait for have (Client-Initiated Backchannel Authentication, CIBA, section
// 10.2). The message is written with the end and sent by package delivery, as often as it takes; a logout
// token is written anew each time, with the ID of the message as its jti.
package backchannel

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"sync"
	"time"

	"sallyport/mfa/delivery"
	"sallyport/provider/clientkeys"
	"sallyport/provider/clients"
	"sallyport/provider/fetch"
	"sallyport/provider/origin"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Sender implements delivery.Sender.
type Sender struct {
	clients *clients.Cache
	codec   *token.Codec
	fetcher *fetch.Fetcher
	now     func() time.Time

	mu     sync.Mutex
	silent map[string]*bool // origins that were slow or silent last time, and whether one is being asked
}

// quick is how long a receiver may take. Those that take longer get one message at a time.
const quick = time.Second

// New returns a Sender.
func New(c *clients.Cache, codec *token.Codec, f *fetch.Fetcher, now func() time.Time) *Sender {
	return &Sender{clients: c, codec: codec, fetcher: f, now: now, silent: map[string]*bool{}}
}

// Repeatable returns true: a client recognizes a token by its jti, and hearing twice that a session or a
// request has ended does no harm.
func (s *Sender) Repeatable() bool { return true }

// Send tells one client. A disabled client is told too: its users' sessions end all the same.
func (s *Sender) Send(ctx context.Context, m delivery.Outgoing) error {
	c, err := s.clients.Client(ctx, storage.ClientID(m.Recipient))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return &delivery.Permanent{Reason: "the client was deleted"}
	case err != nil:
		return &delivery.Retry{Reason: "the client cannot be read"}
	}
	to, body, err := s.notification(ctx, c, m)
	if err != nil {
		return err
	}
	leave, free := s.enter(origin.Of(to))
	if !free {
		return &delivery.Retry{Reason: "the server of the client responds slowly or not at all"}
	}
	start := s.now()
	response, err := s.fetcher.Post(ctx, to, body)
	leave(err == nil && s.now().Sub(start) <= quick)
	switch {
	case errors.Is(err, fetch.ErrForbidden):
		return &delivery.Retry{Reason: fetch.ErrForbidden.Error()} // settings may change
	case err != nil:
		return &delivery.Retry{Reason: delivery.NoResponse(ctx, err)}
	}
	return s.judge(response)
}

// notification returns what a client is sent, and where, or an error of package delivery.
func (s *Sender) notification(ctx context.Context, c *clients.Client, m delivery.Outgoing) (string, fetch.Body, error) {
	if m.Kind == storage.BackchannelPing {
		if c.BackchannelNotificationEndpoint == "" {
			return "", fetch.Body{}, &delivery.Permanent{Reason: "the client has no backchannel_client_notification_endpoint any more"}
		}
		text, err := json.Marshal(map[string]string{"auth_req_id": m.Data[storage.PingCode]})
		if err != nil {
			return "", fetch.Body{}, &delivery.Permanent{Reason: "auth_req_id is no text"}
		}
		return c.BackchannelNotificationEndpoint, fetch.Body{Type: "application/json", Text: string(text), Bearer: m.Data[storage.PingToken]}, nil
	}
	if c.BackchannelLogoutURI == "" {
		return "", fetch.Body{}, &delivery.Permanent{Reason: "the client has no backchannel_logout_uri any more"}
	}
	text, err := s.codec.WriteLogout(ctx, c, string(m.ID), storage.UserID(m.Data[storage.LogoutUser]), storage.SessionID(m.Data[storage.LogoutSession]), m.CreatedAt)
	switch {
	case errors.Is(err, clientkeys.ErrUnavailable), errors.Is(err, clientkeys.ErrNoEncryptionKey), errors.Is(err, clientkeys.ErrNoKeys):
		return "", fetch.Body{}, &delivery.Retry{Reason: "the keys of the client do not encrypt, or can not be fetched"}
	case err != nil:
		return "", fetch.Body{}, &delivery.Retry{Reason: "no key signs with the algorithm of the client"}
	}
	return c.BackchannelLogoutURI, fetch.Form(url.Values{"logout_token": {text}}), nil
}

// judge returns what a response means (Back-Channel Logout section 2.8, CIBA section 10.2). 400 is the
// client's own refusal, which the same message gets again. Anything else is not from the client as it
// should be, and may pass: a proxy before it, a path that is deployed later.
func (s *Sender) judge(r fetch.Response) error {
	text := "HTTP " + strconv.Itoa(r.Status)
	switch {
	case r.Status >= 200 && r.Status < 300:
		return nil
	case r.Status == 400:
		return &delivery.Permanent{Reason: text}
	}
	return &delivery.Retry{Reason: text, After: delivery.RetryAfter(r.RetryAfter, s.now())}
}

// enter reports whether a message may be sent to an origin now: to one that was slow or silent, one
// at a time, so that it does not hold up the messages to others. leave is told whether it was quick.
func (s *Sender) enter(to string) (leave func(quick bool), free bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, silent := s.silent[to]
	if silent && *asked {
		return nil, false
	}
	if silent {
		*asked = true
	}
	return func(quick bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if quick {
			delete(s.silent, to)
		} else {
			s.silent[to] = new(bool)
		}
	}, true
}
