package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"sallyport/web/jsonbody"
)

// What a read shows of a record and no call writes.
var (
	clientTold = []string{"secrets", "created_at", "updated_at"}
	userTold   = []string{"names", "authenticators", "sessions", "waits", "created_at", "updated_at"}
)

// durations of a client are read in seconds, and written so, or as "5m".
var durations = []string{"mfa_interval", "access_token_ttl", "refresh_token_idle_ttl", "refresh_token_ttl", "refresh_grace"}

// writtenBack takes out of a body what is as a read of the record shows it and what no call
// writes: whoever writes back what they read changes nothing by that. Where something of that
// kind is another one, that is a fault. With all, every member goes that is as it is shown.
func writtenBack(members map[string]any, record any, told []string, all bool) error {
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("show record: %w", err)
	}
	shown, err := jsonbody.Parse(text)
	if err != nil {
		return fmt.Errorf("show record: %w", err)
	}
	var faults Faults
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		same, only := reflect.DeepEqual(value, shown[name]), slices.Contains(told, name)
		switch {
		case same && (all || only):
			delete(members, name)
		case only:
			faults = append(faults, Fault{Field: name, Detail: "is told and not written"})
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// inSeconds writes the durations of a body that are numbers as the desired state has them.
func inSeconds(members map[string]any) {
	for _, name := range durations {
		if n, ok := members[name].(json.Number); ok {
			members[name] = n.String() + "s"
		}
	}
}
