package storage

import (
	"context"
	"time"
)

// PurposeInvitation is the purpose of the tickets of invitations. They end when their user becomes
// active, however that happens.
const PurposeInvitation = "invitation"

// InvitationState is what became of an invitation.
type InvitationState string

// The states of an invitation.
const (
	InvitationPending  InvitationState = "pending"
	InvitationExpired  InvitationState = "expired"  // not accepted in time
	InvitationAccepted InvitationState = "accepted" // its user is active
)

// InvitationStates returns every state.
func InvitationStates() []InvitationState {
	return []InvitationState{InvitationPending, InvitationExpired, InvitationAccepted}
}

// Invitation lets a pending user accept their account by the link of a message. A user has at most
// one.
type Invitation struct {
	ID     InvitationID
	UserID UserID
	// Identifier is the address that is invited; it may be gone.
	Identifier IdentifierID
	Actor      string   // who invited, as in Event
	Inviter    string   // name of who invites, for the person to read; "": none was given
	ClientID   ClientID // of the application to lead to; "": none
	// Created: the user was created by it, and goes with it (EndInvitation).
	Created    bool
	Sent       int // how often a link was made
	CreatedAt  time.Time
	SentAt     time.Time // of the newest link
	ExpiresAt  time.Time // of the newest link
	AcceptedAt time.Time // zero: not yet
}

// State returns the state of an invitation.
func (i Invitation) State(now time.Time) InvitationState {
	switch {
	case !i.AcceptedAt.IsZero():
		return InvitationAccepted
	case !now.Before(i.ExpiresAt):
		return InvitationExpired
	}
	return InvitationPending
}

// NewInvitation creates an Invitation with the ticket of its first link.
type NewInvitation struct {
	Invitation Invitation
	User       *NewUser // created with it; nil: the user exists
	Ticket     NewTicket
}

// InvitationFilter selects invitations; empty fields but Now and Limit select all.
type InvitationFilter struct {
	Now     time.Time // decides which have expired
	ID      InvitationID
	User    UserID
	State   InvitationState
	Expired time.Time    // only those that are not accepted and expired by then
	Before  InvitationID // exclusive; for the next page
	Limit   int          // 1..1000
}

// InvitationEnd ends an invitation that is not accepted.
type InvitationEnd struct {
	Invitation Invitation // as it was read
	Expired    time.Time  // unless zero, it must have expired by then
	Now        time.Time
	Events     []Event
	Removal    []Event // only if the user is removed
}

// Invitations stores invitations. UpdateUser and Steps mark that of a user who becomes active as
// accepted.
type Invitations interface {
	// CreateInvitation stores an invitation. ErrConflict: a name of the new user is taken; the
	// existing one is not pending or has an invitation; as a *RefusedError: a counter refuses.
	CreateInvitation(ctx context.Context, n NewInvitation, now time.Time) error
	// RenewInvitation makes another link, whose address and expiry the invitation then has. It is not
	// accepted any more, if it was. ErrConflict: it is gone, or its user is not pending; as a
	// *RefusedError: a counter refuses.
	RenewInvitation(ctx context.Context, id InvitationID, t NewTicket, now time.Time) error
	// EndInvitation removes an invitation and ends its links. A user that it created is removed with
	// it, if they are still pending and nothing was added or changed. ErrConflict: it is accepted or
	// gone, or has not expired.
	EndInvitation(ctx context.Context, e InvitationEnd) (removed bool, err error)
	// ListInvitations returns invitations, newest first.
	ListInvitations(ctx context.Context, f InvitationFilter) ([]Invitation, error)
}
