package main

import (
	"fmt"
	"path/filepath"
	"testing"
)

// signUps are the rows of sign-ups.
func (o *trialSource) signUps(t *testing.T) map[string]effect {
	file := filepath.Join(t.TempDir(), "outbox.jsonl")
	return map[string]effect{
		"signup": {value: "open", with: set{"OUTBOX_FILE": file}, want: "200", show: func(s *trial) string {
			return fmt.Sprint(s.open().send("GET", "/signup", "", "").Code)
		}},
		"lifetimes.signup": {value: "2h", with: set{"OUTBOX_FILE": file, "SIGNUP": "open"}, want: "2h0m0s", show: func(s *trial) string {
			return fmt.Sprint(s.open().SignUps.Options().Life)
		}},
		"terms.url": {value: "https://harbour.example/terms", also: set{"TERMS_VERSION": "7"}, with: set{"OUTBOX_FILE": file, "SIGNUP": "open"}, want: "https://harbour.example/terms", show: func(s *trial) string {
			return s.open().SignUps.Options().Terms.URL
		}},
		"terms.version": {value: "2026-01", also: set{"TERMS_URL": "https://harbour.example/terms"}, with: set{"OUTBOX_FILE": file, "SIGNUP": "open"}, want: "2026-01", show: func(s *trial) string {
			return s.open().SignUps.Options().Terms.Version
		}},
	}
}
