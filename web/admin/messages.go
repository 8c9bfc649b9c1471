package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// Messages is a page of messages, newest first.
type Messages struct {
	Messages []Message         `json:"messages"`
	Next     storage.MessageID `json:"next,omitempty"` // "before" of the next page
}

func (s *Surface) listMessages(c *gin.Context, _ mfa.Caller) {
	f := storage.MessageFilter{State: storage.MessageState(c.Query("state")), Kind: c.Query("kind"),
		Recipient: c.Query("recipient"), Before: storage.MessageID(c.Query("before"))}
	if _, ok := storage.Bytes(f.Before); !ok && f.Before != "" {
		badParameter(c, "before", "must be an id")
		return
	}
	// A misspelt state or kind must not look like an empty outbox.
	if f.State != "" && !slices.Contains(storage.MessageStates(), f.State) {
		badParameter(c, "state", "there is no such state")
		return
	}
	if f.Kind != "" && !slices.Contains(notice.Outgoing(), f.Kind) {
		badParameter(c, "kind", "there is no such kind")
		return
	}
	var ok bool
	if f.Limit, ok = s.limit(c); !ok {
		return
	}
	list, err := s.Messages.List(c.Request.Context(), f)
	if err != nil {
		s.fail(c, err)
		return
	}
	page := Messages{Messages: []Message{}}
	for _, m := range list {
		page.Messages = append(page.Messages, newMessage(m))
	}
	if len(list) == f.Limit {
		page.Next = list[f.Limit-1].ID
	}
	c.JSON(http.StatusOK, page)
}

func (s *Surface) showMessage(c *gin.Context, _ mfa.Caller) {
	m, err := s.Messages.Get(c.Request.Context(), storage.MessageID(c.Param("message")))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, newMessage(m))
}

// ofMessage serves a call that makes one change to one message.
func (s *Surface) ofMessage(done string, do func(context.Context, mfa.Caller, storage.MessageID) error) func(*gin.Context, mfa.Caller) {
	return func(c *gin.Context, v mfa.Caller) {
		in, ok := s.read(c, false)
		if !ok || !s.valid(c, in) {
			return
		}
		id := storage.MessageID(c.Param("message"))
		if err := do(c.Request.Context(), v, id); err != nil {
			s.fail(c, err)
			return
		}
		c.JSON(http.StatusOK, Done{Message: id, Done: done})
	}
}
