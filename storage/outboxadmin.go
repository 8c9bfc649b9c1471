package storage

import "time"

// MessageState is what becomes of a message.
type MessageState string

// The states of a message.
const (
	MessageWaiting   MessageState = "waiting"  // no attempt yet
	MessageRetrying  MessageState = "retrying" // attempted, and neither delivered nor dead
	MessageDelivered MessageState = "delivered"
	MessageDead      MessageState = "dead" // given up, dropped or expired
)

// MessageStates returns every state.
func MessageStates() []MessageState {
	return []MessageState{MessageWaiting, MessageRetrying, MessageDelivered, MessageDead}
}

// MessageDropped is the LastError of a dropped message.
const MessageDropped = "dropped"

// MessageFilter selects messages; empty fields but Now and Limit select all.
type MessageFilter struct {
	Now       time.Time // decides which have expired
	ID        MessageID
	State     MessageState
	Kind      string
	Recipient string
	Before    MessageID // exclusive; for the next page
	Limit     int       // 1..1000
}

// MessageRecord is a message for operators. Its Data is nil: a value may be a code.
type MessageRecord struct {
	Message
	State  MessageState
	Leased bool     // being sent
	Values []string // names of the values in Data, sorted
	Erased bool     // Data is gone: it was delivered or dropped
}
