package stytch

import (
	"encoding/json"
	"net/http"
	"time"

	"sallyport/web/wireid"
)

// envelope is in every response.
type envelope struct {
	StatusCode int    `json:"status_code"`
	RequestID  string `json:"request_id"`
}

// answered returns the envelope of a successful response, with a new request ID.
func (s *Surface) answered() envelope {
	return envelope{http.StatusOK, wireid.StytchRequest(s.environment, s.random)}
}

// moment is a time on the wire: RFC 3339 in UTC and whole seconds, or null. SDKs cannot parse
// an empty text.
type moment time.Time

// MarshalJSON implements json.Marshaler.
func (m moment) MarshalJSON() ([]byte, error) {
	if time.Time(m).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(m.text())
}

func (m moment) text() string { return time.Time(m).UTC().Format(time.RFC3339) }
