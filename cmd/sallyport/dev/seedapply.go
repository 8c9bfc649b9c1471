package dev

import (
	"context"
	"errors"
	"fmt"

	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/provider/desired"
)

// seed applies the built-in state and, if there is one, the developer's own.
func seed(ctx context.Context, h *server.Server, built desired.State, file string) error {
	if err := built.Validate(); err != nil {
		return fmt.Errorf("built-in state: %w", err)
	}
	if _, err := applySeeds(ctx, h, built); err != nil {
		return fmt.Errorf("apply built-in state: %w", err)
	}
	if file == "" {
		return nil
	}
	own, err := h.LoadPlan(ctx, file, desired.Options{})
	if err != nil {
		return err
	}
	if err := h.Records().CarryOut(ctx, mfa.Caller{Actor: users.ActorAdmin, UserAgent: "sallyport dev"}, own); err != nil {
		return fmt.Errorf("apply %s: %w", file, err)
	}
	return nil
}

// applySeeds brings the database to a state made in code, silently.
func applySeeds(ctx context.Context, h *server.Server, s desired.State) (desired.Plan, error) {
	var faults []error
	p, err := h.Records().PlanState(ctx, s, desired.Options{By: apikeys.Operator()}, func(path, text string) { faults = append(faults, fmt.Errorf("%s: %s", path, text)) })
	if err = errors.Join(append(faults, err)...); err != nil {
		return p, err
	}
	return p, h.Records().CarryOut(ctx, mfa.Caller{Actor: users.ActorAdmin, UserAgent: "sallyport dev"}, p)
}
