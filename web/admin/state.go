package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider/desired"
)

// done is the action of a record in the words of Done.
func done(r desired.Record) string {
	switch r.Action {
	case desired.Create:
		return "created"
	case desired.Change:
		return "changed"
	}
	return "nothing to change"
}

func (s *Surface) applyState(c *gin.Context, v mfa.Visit) {
	o, dry := desired.Options{By: by(c)}, false
	for name, into := range map[string]*bool{"dry_run": &dry, "prune": &o.Prune, "replace_credentials": &o.Credentials} {
		var ok bool
		if *into, ok = s.flag(c, name); !ok {
			return
		}
	}
	text, ok := s.text(c, "application/yaml", BodyMost) // RFC 9512
	if !ok {
		return
	}
	// The connection must outlive the hashing. One that knows no deadlines has none.
	if err := http.NewResponseController(c.Writer).SetWriteDeadline(s.now().Add(Patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.fail(c, fmt.Errorf("move the deadline: %w", err))
		return
	}
	outcome, err := s.apply(c.Request.Context(), v, text, o, dry)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, outcome)
}

// apply makes records what a state says, unless it is to be shown alone.
func (s *Surface) apply(ctx context.Context, v mfa.Visit, text []byte, o desired.Options, dry bool) (desired.Outcome, error) {
	p, err := s.Records.Plan(ctx, "", text, o)
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

// one makes one record of a section of the desired state what a body says. Whatever the
// body names is made so, credentials included.
func (s *Surface) one(c *gin.Context, v mfa.Visit, section string, members map[string]any, single desired.Single) (desired.Record, bool) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{section: []any{members}}); err != nil {
		s.fail(c, fmt.Errorf("write desired state: %w", err))
		return desired.Record{}, false
	}
	outcome, err := s.apply(c.Request.Context(), v, text.Bytes(), desired.Options{Single: single, Credentials: true, By: by(c)}, false)
	var faults Faults
	var stopped *desired.Stopped
	switch {
	case errors.As(err, &faults):
		err = within(faults, section+"[0]")
	case errors.As(err, &stopped):
		err = stopped.Err // of one change nothing stays
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

// within names the fields of a record as its body does.
func within(faults Faults, path string) Faults {
	out := Faults{}
	for _, f := range faults {
		field := strings.TrimPrefix(strings.TrimPrefix(f.Field, path), ".")
		out = append(out, Fault{Field: field, Detail: f.Detail})
	}
	return out
}
