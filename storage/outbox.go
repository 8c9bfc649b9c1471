package storage

import (
	"context"
	"time"
)

// Message waits to be sent: a mail, a text message, a notice to another server.
// It is written in the commit of the step that causes it and delivered at least
// once, always under the same ID.
type Message struct {
	ID        MessageID
	Kind      string // "mail", "sms", "webhook", "backchannel_logout"
	Recipient string
	Template  string
	Locale    string
	Data      map[string]string // sealed: may hold a code
	CreatedAt time.Time
	NextAt    time.Time // first delivery not before
	ExpiresAt time.Time // not sent after
	// Filled by the engine.
	Attempts    int
	DeliveredAt time.Time
	DeadAt      time.Time // given up
	LastError   string
}

// Delivery is the outcome of one try.
type Delivery struct {
	ID     MessageID
	OK     bool
	Dead   bool
	NextAt time.Time
	Error  string
	Now    time.Time
}

// OutboxState says how an outbox is doing. Counts end at 10,000.
type OutboxState struct {
	Waiting  int       // neither delivered nor given up nor expired
	Retrying int       // those of them that were tried before
	Dead     int       // given up
	Oldest   time.Time // when the oldest waiting one was written; zero: none waits
}

// Outbox keeps messages until they are delivered.
type Outbox interface {
	// LeaseMessages takes up to limit due messages until the lease ends.
	LeaseMessages(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Message, error)
	// SettleMessage records a try.
	SettleMessage(ctx context.Context, d Delivery) error
	// ListMessages returns the newest messages, delivered and dead ones included.
	ListMessages(ctx context.Context, limit int) ([]Message, error)
	// OutboxState counts messages.
	OutboxState(ctx context.Context, now time.Time) (OutboxState, error)
}
