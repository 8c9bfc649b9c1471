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

// Records are the records that a desired state is compared with.
func (s *Server) Records() desired.Records {
	return desired.Records{Store: s.Store, Users: s.Users, Clients: s.Clients, APIKeys: s.APIKeys, Explain: admin.Explain, UsernamesEditable: s.editable, Algorithms: s.Provider.Algorithms}
}

// LoadPlan reads a desired-state file and compares it with the records.
func (s *Server) LoadPlan(ctx context.Context, file string, o desired.Options) (desired.Plan, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return desired.Plan{}, fmt.Errorf("read desired state: %w", err)
	}
	o.By = apikeys.Operator() // a user who can read files here can read the key
	p, err := s.Records().Plan(ctx, file, text, o)
	var faults strict.Faults
	if errors.As(err, &faults) {
		err = StateFaults(faults)
	}
	return p, err
}

// StateFaults returns the faults of a desired-state file, a line each.
func StateFaults(f strict.Faults) error { return fmt.Errorf("the desired state has faults:\n%w", f) }
