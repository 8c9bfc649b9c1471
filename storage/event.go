package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Event is one line of the audit trail.
type Event struct {
	ID            EventID
	At            time.Time
	Kind          string // see docs/events.md
	Outcome       string // "ok", "refused", "failed"
	Actor         string // who did it if not the user: "admin", "client", "system"
	UserID        UserID
	ClientID      ClientID
	SessionID     SessionID
	GrantID       GrantID
	Address       string
	UserAgent     string // at most 256 bytes
	CorrelationID string
	Login         string            // names the login among events, and opens nothing; "": none
	Detail        map[string]string // small, without secrets
	// Canonical is the line in its canonical form; set by the engine on writing.
	Canonical json.RawMessage
}

// EventFilter selects audit lines; empty fields select all.
type EventFilter struct {
	UserID   UserID
	ClientID ClientID
	Kind     string
	Kinds    []string // any of these
	// CorrelationID is that of the response, Login that of events of one login.
	CorrelationID string
	Login         string
	From, To      time.Time // of events whose IDs are TimeOrdered by At
	Before        EventID   // exclusive; for the next page
	Limit         int       // 1..1000
}

// Events stores the audit trail.
type Events interface {
	// AppendEvents stores lines that belong to no other call, with messages. A message whose ID
	// is stored already is left out.
	AppendEvents(ctx context.Context, events []Event, messages ...Message) error
	// ListEvents returns lines, newest first.
	ListEvents(ctx context.Context, f EventFilter) ([]Event, error)
}
