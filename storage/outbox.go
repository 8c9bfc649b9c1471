package storage

import (
	"context"
	"time"
)

// Message is a mail, a text message or a notification of another server, to be sent. It
// is committed with the step that causes it, and sent under the same ID every time.
type Message struct {
	ID        MessageID
	Kind      string // "mail", "sms", "webhook", "backchannel_logout", "backchannel_ping"
	Recipient string
	Template  string
	Locale    string
	Data      map[string]string // sealed: may hold a code. Erased once the message is delivered
	CreatedAt time.Time
	NextAt    time.Time // not sent before; while it is leased the end of the lease
	ExpiresAt time.Time // not sent after; zero: no limit
	// Set by the engine.
	Attempts    int  // leases, this one included
	Interrupted bool // the last lease but this one ended without a settlement: it may have been sent
	Broken      bool // the stored Data does not open in this row, because it was changed or moved
	DeliveredAt time.Time
	DeadAt      time.Time // given up
	LastError   string
}

// Lease reserves due messages of one kind for a worker.
type Lease struct {
	Kind  string
	Now   time.Time
	For   time.Duration // how long no other worker gets them
	Limit int
}

// Delivery is the outcome of one delivery attempt.
type Delivery struct {
	ID      MessageID
	Attempt int // Message.Attempts as it was leased
	OK      bool
	Dead    bool
	NextAt  time.Time // of the next attempt, if neither OK nor Dead
	Error   string
	Now     time.Time
}

// OutboxState summarizes the outbox. Counts stop at 10,000.
type OutboxState struct {
	Waiting  int       // neither delivered nor given up nor expired
	Retrying int       // those of them with a failed delivery
	Dead     int       // given up
	Oldest   time.Time // when the oldest waiting one was written; zero: none
}

// Outbox stores messages until they are delivered. A sweep removes them a week after they
// were delivered or given up.
type Outbox interface {
	// PutMessages stores messages that no other call causes. ErrConflict, as a *RefusedError: a
	// counter of sends refuses, and nothing is stored.
	PutMessages(ctx context.Context, messages []Message, sends []Throttle, now time.Time) error
	// LeaseMessages returns due messages and reserves them until the lease ends. Of
	// concurrent callers one gets each message.
	LeaseMessages(ctx context.Context, l Lease) ([]Message, error)
	// SettleMessage ends a lease with its outcome. It returns ErrConflict if the message was
	// leased again, settled or given up meanwhile.
	SettleMessage(ctx context.Context, d Delivery) error
	// ExpireMessages gives up to limit messages up that have expired and are not leased, and
	// returns them.
	ExpireMessages(ctx context.Context, now time.Time, limit int) ([]Message, error)
	// Message returns a message, and ErrNotFound if there is none.
	Message(ctx context.Context, id MessageID) (Message, error)
	// OutboxState counts messages.
	OutboxState(ctx context.Context, now time.Time) (OutboxState, error)
	// ListMessages returns messages, newest first, delivered and dead ones included.
	ListMessages(ctx context.Context, f MessageFilter) ([]MessageRecord, error)
	// ResendMessage makes a message due that is neither delivered nor leased, with a new end
	// of its life. It returns ErrConflict for others, and for one whose Data is erased.
	ResendMessage(ctx context.Context, id MessageID, now, expires time.Time, events []Event) error
	// DropMessage gives a message up that is neither delivered nor leased, and erases its
	// Data. It returns ErrConflict for others, and for one whose Data is erased.
	DropMessage(ctx context.Context, id MessageID, now time.Time, events []Event) error
}
