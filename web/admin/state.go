package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
)

// Single says that a desired state is of one record, and whether that may be there. What
// is not in such a state is none of its business.
type Single int

// The kinds of states.
const (
	Whole      Single = iota // of many records; what is left out is told or pruned
	OnlyNew                  // of one that must not be there
	OnlyKnown                // of one that must
	OnlyEither               // of one
)

// State is a desired state and how far it is to be made.
type State struct {
	Text        []byte // YAML, which JSON is
	Single      Single
	DryRun      bool // nothing is made
	Prune       bool // what is not in it goes
	Credentials bool // passwords and factors of users who exist are replaced
	By          provider.Caller
}

// Actions of a change.
const (
	Create = "create"
	Change = "change"
	Delete = "delete"
)

// Outcome is what a desired state changes, in the order in which it is done.
type Outcome struct {
	DryRun  bool     `json:"dry_run"` // nothing was changed
	Changes []Record `json:"changes"`
	// LeftAlone are records that are there and not in the state. Of many users some are
	// named; MoreUsers counts the others.
	LeftAlone []Left `json:"left_alone"`
	MoreUsers int    `json:"more_users_left_alone,omitempty"`
}

// Kinds of records.
const (
	KindClient = "client"
	KindUser   = "user"
	KindAPIKey = "api_key"
)

// Record is the change of one record. ID is that of a user or API key; a client is
// called by its id.
type Record struct {
	Kind        string       `json:"kind"`
	Name        string       `json:"name"`
	ID          string       `json:"id,omitempty"`
	Action      string       `json:"action"`
	Differences []Difference `json:"differences,omitempty"`
}

// done is an action in the words of Done.
func (r Record) done() string {
	switch r.Action {
	case Create:
		return "created"
	case Change:
		return "changed"
	}
	return "nothing to change"
}

// Left is a record that was left alone.
type Left struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Difference is one value that is to change. Null is "not there"; secrets are not shown.
type Difference struct {
	Key    string `json:"key"`
	From   any    `json:"from"`
	To     any    `json:"to"`
	Secret bool   `json:"secret,omitempty"`
}

// DifferencesOf are mfa's differences on the wire.
func DifferencesOf(list []mfa.Difference) []Difference {
	out := make([]Difference, 0, len(list))
	for _, d := range list {
		out = append(out, Difference(d))
	}
	return out
}

func (s *Surface) applyState(c *gin.Context, v mfa.Visit) {
	state := State{By: by(c)}
	for name, into := range map[string]*bool{"dry_run": &state.DryRun, "prune": &state.Prune, "replace_credentials": &state.Credentials} {
		var ok bool
		if *into, ok = s.flag(c, name); !ok {
			return
		}
	}
	var ok bool
	if state.Text, ok = s.text(c, "application/yaml", BodyMost); !ok { // RFC 9512
		return
	}
	// The connection must outlive the hashing. One that knows no deadlines has none.
	if err := http.NewResponseController(c.Writer).SetWriteDeadline(s.now().Add(Patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.fail(c, fmt.Errorf("move the deadline: %w", err))
		return
	}
	outcome, err := s.Apply(c.Request.Context(), v, state)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, outcome)
}

// one makes one record of a section of the desired state what a body says. Whatever the
// body names is made so, credentials included.
func (s *Surface) one(c *gin.Context, v mfa.Visit, section string, members map[string]any, single Single) (Record, bool) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{section: []any{members}}); err != nil {
		s.fail(c, fmt.Errorf("write desired state: %w", err))
		return Record{}, false
	}
	outcome, err := s.Apply(c.Request.Context(), v, State{Text: text.Bytes(), Single: single, Credentials: true, By: by(c)})
	var faults Faults
	var stopped *Stopped
	switch {
	case errors.As(err, &faults):
		err = within(faults, section+"[0]")
	case errors.As(err, &stopped):
		err = stopped.Err // of one change nothing stays
	}
	if err != nil {
		s.fail(c, err)
		return Record{}, false
	}
	if len(outcome.Changes) == 0 {
		return Record{}, true
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
