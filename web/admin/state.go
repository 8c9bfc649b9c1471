package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider/desired"
	"sallyport/web/jsonbody"
)

// done is the action on a record as Done shows it.
func done(r desired.Record) string {
	switch r.Action {
	case desired.Create:
		return "created"
	case desired.Change:
		return "changed"
	}
	return "nothing to change"
}

func (s *Surface) applyState(c *gin.Context, v mfa.Caller) {
	o, dry := desired.Options{By: by(c)}, false
	for name, into := range map[string]*bool{"dry_run": &dry, "prune": &o.Prune, "replace_credentials": &o.Credentials} {
		var ok bool
		if *into, ok = s.flag(c, name); !ok {
			return
		}
	}
	text, f := jsonbody.Text(c, "application/yaml", MaxBody) // RFC 9512
	if f != nil {
		refuse(c, *f)
		return
	}
	// The connection must stay open while passwords are hashed. A writer without deadlines
	// needs no change.
	if err := http.NewResponseController(c.Writer).SetWriteDeadline(s.now().Add(Timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.fail(c, fmt.Errorf("extend the write deadline: %w", err))
		return
	}
	p, err := s.Records.Plan(c.Request.Context(), "", text, o)
	outcome, err := s.carryOut(c.Request.Context(), v, p, err, dry)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, outcome)
}

// carryOut applies a plan, unless this is a dry run. err is the error of the planning.
func (s *Surface) carryOut(ctx context.Context, v mfa.Caller, p desired.Plan, err error, dry bool) (desired.Outcome, error) {
	var found desired.Faults
	if errors.As(err, &found) {
		var faults Faults
		for _, f := range found {
			faults = append(faults, Fault{Line: f.Line, Field: f.Path, Detail: f.Text})
		}
		return desired.Outcome{}, faults
	}
	if err == nil && !dry {
		err = s.Records.CarryOut(ctx, v, p)
	}
	out := p.Outcome()
	out.DryRun = dry
	return out, err
}

// one applies a body as the only record of a section of the desired state, credentials
// included.
func (s *Surface) one(c *gin.Context, v mfa.Caller, section string, members map[string]any, single desired.Single) (desired.Record, bool) {
	ctx := c.Request.Context()
	p, err := s.Records.PlanObject(ctx, map[string]any{section: []any{members}}, desired.Options{Single: single, Credentials: true, By: by(c)})
	outcome, err := s.carryOut(ctx, v, p, err, false)
	var faults Faults
	var stopped *desired.Stopped
	switch {
	case errors.As(err, &faults):
		err = within(faults, section+"[0]")
	case errors.As(err, &stopped):
		err = stopped.Err // there is only one change, and it failed
	}
	if err != nil {
		s.fail(c, err)
		return desired.Record{}, false
	}
	if len(outcome.Changes) == 0 {
		return desired.Record{}, true
	}
	return outcome.Changes[0], true
}

// within converts the fields of a desired state to those of the body.
func within(faults Faults, path string) Faults {
	out := Faults{}
	for _, f := range faults {
		field := strings.TrimPrefix(strings.TrimPrefix(f.Field, path), ".")
		out = append(out, Fault{Field: field, Detail: f.Detail})
	}
	return out
}
