package server

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sallyport/config/strict"
	"sallyport/provider/apikeys"
	"sallyport/provider/desired"
	"sallyport/web/admin"
)

// records are the records that a desired state is compared with.
func (h *Server) Records() desired.Records {
	return desired.Records{Store: h.Store, Users: h.Users, Clients: h.Clients, APIKeys: h.APIKeys, Explain: admin.Explain}
}

// loadPlan reads the desired state in a file and compares it with the records.
func (h *Server) LoadPlan(ctx context.Context, file string, o desired.Options) (desired.Plan, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return desired.Plan{}, fmt.Errorf("read desired state: %w", err)
	}
	o.By = apikeys.Operator() // who reads files here could read the key
	p, err := h.Records().Plan(ctx, file, text, o)
	var faults strict.Faults
	if errors.As(err, &faults) {
		err = StateFaults(faults)
	}
	return p, err
}

// stateFaults are the faults of a desired-state file, a line each.
func StateFaults(f strict.Faults) error { return fmt.Errorf("the desired state has faults:\n%w", f) }
