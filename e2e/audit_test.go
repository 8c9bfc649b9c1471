package e2e

import (
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// longAgent is a long User-Agent.
var longAgent = "agent\tof " + strings.Repeat("\u00e4long ", 1000)

// line is an event as "sallyport events --json" prints it.
type line struct {
	ID, At, Kind, Outcome, Actor, User, Client, Session, Grant, Address string
	Agent                                                               string `json:"user_agent"`
	Correlation                                                         string `json:"correlation_id"`
	Detail                                                              map[string]string
}

// fields returns the fields an event has.
func (l line) fields() []string {
	var out []string
	for name, value := range map[string]string{"user": l.User, "client": l.Client, "session": l.Session, "grant": l.Grant, "by " + l.Actor: l.Actor} {
		if value != "" {
			out = append(out, name)
		}
	}
	return out
}

// audited is what L-2 demands of the audit trail: the required fields of each kind.
var audited = map[string]string{
	"login.finished": "user client session", "login.cancelled": "user client", "login.restarted": "client",
	"password.ok": "user client", "password.failed": "user client", "password.locked": "user client",
	"mfa.initiated": "user client", "mfa.ok": "user client", "mfa.failed": "user client", "mfa.replayed": "user client", "mfa.locked": "user client",
	"mfa.cancelled": "user client", "recovery.used": "user client", "recovery.regenerated": "user session",
	"factor.enrollment_started": "user", "factor.enrolled": "user", "factor.deleted": "user session", "factor.renamed": "user session",
	"consent.given": "user client", "code.issued": "user client grant", "code.redeemed": "user client grant", "code.replayed": "user client grant",
	"token.issued": "client", "token.refreshed": "user client grant", "refresh.reused": "user client grant", "token.revoked": "client|by client", "client.failed": "",
	"session.logout": "user session", "user.password_changed": "user session", "user.created": "user|by admin", "user.changed": "user|by admin",
	"password.reset_requested": "user client", "password.reset_failed": "user",
	"user.unlocked": "user|by admin", "user.deleted": "user|by admin", "client.created": "client|by admin", "client.changed": "client|by admin",
	"client.deleted": "client|by admin", "keys.created": "by system", "keys.rotated": "by admin", "api_key.created": "by admin",
	"server.decrypt_failure": "user client",
}

// audit checks for an event of every kind, with the required fields, and for the messages
// to users (L-3).
func (v *vault) audit(t *testing.T) {
	t.Helper()
	missing := maps.Clone(audited)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); len(missing) > 0 && time.Now().Before(deadline); <-tick.C {
		for _, l := range v.events(t) {
			has, want := l.fields(), strings.FieldsFunc(strings.ReplaceAll(audited[l.Kind], "by ", "by_"), func(r rune) bool { return r == ' ' || r == '|' })
			if !slices.ContainsFunc(want, func(f string) bool { return !slices.Contains(has, strings.ReplaceAll(f, "by_", "by ")) }) {
				delete(missing, l.Kind)
			}
		}
	}
	for kind, fields := range missing {
		t.Errorf("the audit trail has no %s with %q", kind, fields)
	}
	long := false
	for _, l := range v.events(t) {
		if l.ID == "" || l.At == "" || !slices.Contains([]string{"ok", "refused", "failed"}, l.Outcome) {
			t.Errorf("an event without id, time or outcome: %+v", l)
		}
		// What a backend has proven has the address of the user's device, which it need not know.
		if l.Detail["api_key"] != "" && l.Kind != "api_key.used" && l.Correlation != "" {
			continue
		}
		if l.Actor != "admin" && l.Actor != "system" && (l.Address != "127.0.0.1" || l.Agent == "" || l.Correlation == "") {
			t.Errorf("an event without a caller: %+v", l)
		}
		if len(l.Agent) > 256 || strings.ContainsAny(l.Agent, "\x1b\n\t") {
			t.Errorf("user agent of %d bytes: %q", len(l.Agent), l.Agent)
		}
		long = long || len(l.Agent) > 250
	}
	if !long {
		t.Error("no event holds a long user agent: it was not cut")
	}
	v.messages(t)
}

func (v *vault) events(t *testing.T) []line {
	t.Helper()
	var out []line
	text, err := exec.Command(program, "events", "--config", v.config, "--json", "--limit", "100000").CombinedOutput()
	if err != nil {
		t.Fatalf("events: %v\n%s", err, text)
	}
	for text := range strings.Lines(string(text)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		out = append(out, l)
	}
	return out
}

// messages checks that users get a message for every change of their authenticators.
func (v *vault) messages(t *testing.T) {
	t.Helper()
	rows, err := v.behind(t).QueryContext(t.Context(), "SELECT DISTINCT template FROM outbox")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]bool{}
	for rows.Next() {
		var template string
		if err := rows.Scan(&template); err != nil {
			t.Fatal(err)
		}
		found[template] = true
	}
	for _, template := range []string{"recovery_code_used", "recovery_codes_renewed", "factor_enrolled", "factor_removed", "password_changed"} {
		if !found[template] {
			t.Errorf("no message %s, only %v (%v)", template, found, rows.Err())
		}
	}
}
