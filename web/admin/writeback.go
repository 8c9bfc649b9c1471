package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"sallyport/input"
)

// Members of a record that a read shows and no call can write.
var (
	clientReadOnly = []string{"secrets", "created_at", "updated_at"}
	userReadOnly   = []string{"names", "retired_usernames", "authenticators", "sessions", "waits", "created_at", "updated_at"}
)

// durations are the members of a client that are shown as seconds and can be written as
// seconds or as "5m".
var durations = []string{"mfa_interval", "mfa_remember", "access_token_ttl", "refresh_token_idle_ttl", "refresh_token_ttl", "refresh_grace"}

// dropUnchanged removes the read-only members from a body that are as a read of the record
// shows them, so that a caller may write back what it has read. A changed one is a fault.
// With all, it removes every unchanged member.
func dropUnchanged(members map[string]any, record any, readOnly []string, all bool) error {
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("show record: %w", err)
	}
	view, err := input.Object(text)
	if err != nil {
		return fmt.Errorf("show record: %w", err)
	}
	var faults Faults
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		same, only := reflect.DeepEqual(value, view[name]), slices.Contains(readOnly, name)
		switch {
		case same && (all || only):
			delete(members, name)
		case only:
			faults = append(faults, Fault{Field: name, Detail: "is read-only"})
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// inSeconds converts durations that are numbers to the format of the desired state.
func inSeconds(members map[string]any) {
	for _, name := range durations {
		if n, ok := members[name].(json.Number); ok {
			members[name] = n.String() + "s"
		}
	}
}
