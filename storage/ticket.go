package storage

import (
	"context"
	"time"
)

// KeepTicket is how long a Ticket is kept after it expired, so that whoever follows its link is
// told that it expired.
const KeepTicket = 7 * 24 * time.Hour

// Ticket is what a message lets its reader do, once, by a link or by a typed code.
type Ticket struct {
	ID      TicketID
	Purpose string // what it is good for, such as "password_reset"
	UserID  UserID // ""; it is of an Address
	// Address, canonical, is what a ticket belongs to whose reader is no user yet. Known only on
	// creation: it is kept as a keyed hash.
	Address string
	// Identifier is the address that the message went to; it may be gone.
	Identifier IdentifierID
	// Link is the secret of the link: 128 random bits at least; sealed.
	Link string
	// Code is what the reader types where the link cannot be followed; "": none. Known only on
	// creation. It is good for its user or address and its purpose only, so that it may be short.
	Code     string
	ClientID ClientID // of the application that the reader came from; "": none
	Data     []byte   // sealed
	// Outlives: UserChange.Kill leaves it valid, as the undo of a change must be.
	Outlives  bool
	CreatedAt time.Time
	ExpiresAt time.Time
	EndedAt   time.Time // spent, or ended by a sibling; zero: neither
}

// Valid reports whether a ticket can be spent.
func (t Ticket) Valid(now time.Time) bool { return t.EndedAt.IsZero() && now.Before(t.ExpiresAt) }

// NewTicket creates a Ticket with the message that carries it.
type NewTicket struct {
	Ticket Ticket
	// Sends are counters of messages; if one refuses, nothing is stored.
	Sends    []Throttle
	Toll     *Toll // of a text message; nil: none
	Events   []Event
	Messages []Message
}

// TicketGuess is a typed code.
type TicketGuess struct {
	Purpose string
	User    UserID // "": of an unknown name; it is counted and never right
	Address string // instead of User, for tickets of an Address
	Code    string
	// Count is the counter of wrong codes, whatever ticket they were meant for: another message
	// brings no further guesses.
	Count Throttle
	Now   time.Time
}

// TicketSpend spends a ticket with what it allows (UserChange.Ticket, NewUser.Ticket). Other tickets
// of its owner and purpose end with it: all of them, or with Later those that were created after it.
type TicketSpend struct {
	ID      TicketID
	Purpose string
	// Address is the owner of the ticket; "": the user is. Whoever spends it names the address.
	Address string
	// Proven: the address that the message went to must still be the user's, and verified.
	Proven bool
	Later  bool
	// Secret, if set, must still have the Counter Was (Basis).
	Secret AuthenticatorID
	Was    int64
	// Returned, if not nil, is the country and day of the text message that brought it.
	Returned *Toll
}

// Tickets stores tickets. UpdateUser and CreateUser spend them.
type Tickets interface {
	// CreateTicket stores a ticket. ErrConflict: as a *RefusedError, a counter of Sends refuses.
	// ErrNotFound: there is no such user.
	CreateTicket(ctx context.Context, t NewTicket, now time.Time) error
	// TicketByLink returns a ticket by the secret of its link, expired and ended ones too. One
	// statement, which changes nothing.
	TicketByLink(ctx context.Context, purpose, link string) (Ticket, error)
	// GuessTicket returns the valid ticket with a typed code. The guess is counted before it is
	// compared; a right one is taken back. ErrNotFound: it is wrong. ErrConflict, as a
	// *RefusedError: the counter refuses, and nothing was compared.
	GuessTicket(ctx context.Context, g TicketGuess) (Ticket, error)
}
