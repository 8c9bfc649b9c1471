package storage

import (
	"context"
	"net/url"
	"time"
)

// PushedID is what names a pushed request to its client and its browser: 128 random bits.
type PushedID string

// PushedRequest is an authorization request that a client sent itself, before a browser opens it
// (RFC 9126).
type PushedRequest struct {
	ID        PushedID
	ClientID  ClientID
	Params    url.Values // the validated authorization parameters
	CreatedAt time.Time
	OpenedAt  time.Time // when a browser first opened it; zero: none has
	ExpiresAt time.Time // until when it can be opened
}

// PushedRequests stores pushed requests. What they end in is a request and its grant, whose keys let
// it end once: opening one any number of times spends nothing.
type PushedRequests interface {
	// PushRequest stores a new request.
	PushRequest(ctx context.Context, r PushedRequest) error
	// OpenPushed returns an unexpired request of a client. The first call sets OpenedAt to now and
	// ExpiresAt to until; later ones return them unchanged. One statement.
	OpenPushed(ctx context.Context, id PushedID, client ClientID, now, until time.Time) (PushedRequest, error)
}
