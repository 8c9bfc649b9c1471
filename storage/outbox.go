package storage

import (
	"context"
	"time"
)

// Message is a mail, a text message or a notification of another server, to be sent. It
// is committed with the step that causes it and delivered at least once, always under
// the same ID.
type Message struct {
	ID        MessageID
	Kind      string // "mail", "sms", "webhook", "backchannel_logout"
	Recipient string
	Template  string
	Locale    string
	Data      map[string]string // sealed: may hold a code
	CreatedAt time.Time
	NextAt    time.Time // not sent before
	ExpiresAt time.Time // not sent after
	// Set by the engine.
	Attempts    int
	DeliveredAt time.Time
	DeadAt      time.Time // given up
	LastError   string
}

// Delivery is the outcome of one delivery attempt.
type Delivery struct {
	ID     MessageID
	OK     bool
	Dead   bool
	NextAt time.Time
	Error  string
	Now    time.Time
}

// OutboxState summarizes the outbox. Counts stop at 10,000.
type OutboxState struct {
	Waiting  int       // neither delivered nor given up nor expired
	Retrying int       // those of them with a failed delivery
	Dead     int       // given up
	Oldest   time.Time // when the oldest waiting one was written; zero: none
}

// Outbox stores messages until they are delivered.
type Outbox interface {
	// LeaseMessages returns up to limit due messages and reserves them until the lease ends.
	LeaseMessages(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Message, error)
	// SettleMessage records a delivery attempt.
	SettleMessage(ctx context.Context, d Delivery) error
	// ListMessages returns the newest messages, delivered and dead ones included.
	ListMessages(ctx context.Context, limit int) ([]Message, error)
	// OutboxState counts messages.
	OutboxState(ctx context.Context, now time.Time) (OutboxState, error)
}
