package server

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// complain leaves a trace of what keeps this server from starting in the audit trail,
// for whoever wonders later which of several servers it was. The log has the words.
func (h *Server) recordFault(ctx context.Context, what string, err error) error {
	if wrong := h.Store.AppendEvents(ctx, []storage.Event{h.configurationEvent(what)}); wrong != nil {
		return errors.Join(err, fmt.Errorf("write audit event: %w", wrong))
	}
	return err
}

// problem is the event of a problem with the configuration.
func (h *Server) configurationEvent(what string) storage.Event {
	return h.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventConfiguration, Outcome: mfa.OutcomeFailed, Actor: "system",
		Detail: map[string]string{"reason": what}})
}
