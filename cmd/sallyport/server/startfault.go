package server

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// recordFault writes into the audit trail what keeps this server from starting, and returns
// the error. The event names only the kind of fault; the log has the text.
func (s *Server) recordFault(ctx context.Context, what string, err error) error {
	if auditErr := s.Store.AppendEvents(ctx, []storage.Event{s.configurationEvent(what)}); auditErr != nil {
		return errors.Join(err, fmt.Errorf("write audit event: %w", auditErr))
	}
	return err
}

// configurationEvent is the event of a server whose configuration does not fit.
func (s *Server) configurationEvent(what string) storage.Event {
	return s.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventConfiguration, Outcome: mfa.OutcomeFailed, Actor: "system",
		Detail: map[string]string{"reason": what}})
}
