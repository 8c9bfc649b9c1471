package delivery

import (
	"context"
	"time"

	"sallyport/storage"
)

// Outgoing is a message as a Sender sends it.
type Outgoing struct {
	ID        storage.MessageID // the same whenever it is sent again
	CreatedAt time.Time
	Kind      string
	Recipient string
	Locale    string
	Template  string
	Subject   string // "": a text message has none
	Text      string
	HTML      string            // "": a text message has none
	Data      map[string]string // what the texts were rendered from
}

// Sender sends messages. Implementations: packages smtp, hook, outboxfile.
type Sender interface {
	// Send returns nil once the receiver has taken the message, *Permanent if it never will,
	// and *Unknown if it may have. Any other error, such as *Retry, means that the receiver has
	// not taken it and may later. It returns soon after ctx ends.
	Send(ctx context.Context, m Outgoing) error
	// Repeatable reports whether the receiver recognizes a message by its ID, so that sending
	// it twice does no harm.
	Repeatable() bool
}

// A Reason of the errors below is stored and logged: a class of failures and the status code
// of the receiver, such as "recipient: 550 5.1.1". It never quotes the receiver, which may
// repeat addresses, codes and texts.

// Permanent is the error of a message that will never be taken.
type Permanent struct{ Reason string }

func (e *Permanent) Error() string { return e.Reason }

// Unknown is the error of a message that may have been taken.
type Unknown struct{ Reason string }

func (e *Unknown) Error() string { return e.Reason }

// Retry is the error of a message that may be taken later.
type Retry struct {
	Reason string
	After  time.Duration // what the receiver asks for; 0: nothing
}

func (e *Retry) Error() string { return e.Reason }
