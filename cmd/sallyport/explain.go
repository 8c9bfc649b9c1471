package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/web/admin"
)

// story is what happened around a support number.
type story struct {
	Support string           `json:"support"`
	Login   string           `json:"login,omitempty"`
	Client  storage.ClientID `json:"client,omitempty"`
	User    storage.UserID   `json:"user,omitempty"`
	Name    string           `json:"name,omitempty"` // of the user; "": deleted, or unknown
	Steps   []step           `json:"steps"`
	Advice  string           `json:"advice"`
}

// step is one event of a story.
type step struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Reason  string    `json:"reason,omitempty"`
	Text    string    `json:"text"`
	Support string    `json:"support,omitempty"` // number of the response
	Asked   bool      `json:"asked"`             // it is the number that was asked about

	bucket string // whose wait refused the step
}

// explainCommand tells what happened around a support number.
func explainCommand(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("explain", "tell what happened in the login of a support number", "[flags] NUMBER",
		"The number is on the error page, in the header X-Correlation-Id, and in the log as correlation_id.\n"+
			"The story comes from the audit trail; a server writes refusals once a second.")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	s, err := d.explain(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	return d.print(s, func(w io.Writer) { writeStory(w, s) })
}

func (d *connection) explain(ctx context.Context, number string) (story, error) {
	s := story{Support: strings.ToUpper(number)}
	var found admin.Events
	if err := d.Get(ctx, "/events", url.Values{"support": {s.Support}, "limit": {"1000"}}, &found); err != nil {
		return s, err
	}
	for _, e := range found.Events {
		s.Login = cmp.Or(s.Login, e.Login)
	}
	if s.Login != "" {
		if err := d.Get(ctx, "/events", url.Values{"login": {s.Login}, "limit": {"1000"}}, &found); err != nil {
			return s, err
		}
	}
	slices.Reverse(found.Events)
	for _, e := range found.Events {
		s.Client, s.User = cmp.Or(e.Client, s.Client), cmp.Or(e.User, s.User)
		s.Steps = append(s.Steps, step{At: e.At, Kind: e.Kind, Reason: reasonOf(e), Text: textOf(e), Support: e.CorrelationID, Asked: e.CorrelationID == s.Support, bucket: e.Detail["bucket"]})
	}
	s.Advice = adviceOn(s)
	if s.User == "" {
		return s, nil
	}
	var users admin.Users
	if err := d.Get(ctx, "/users", url.Values{"name": {string(s.User)}}, &users); err != nil {
		return s, err
	}
	for _, u := range users.Users {
		for _, n := range u.Names {
			s.Name = cmp.Or(s.Name, n.Value)
		}
	}
	return s, nil
}

// reasonOf returns why an event was a refusal; "": it was none, or says no reason.
func reasonOf(e admin.Event) string {
	if e.Outcome == mfa.OutcomeOK {
		return ""
	}
	return cmp.Or(e.Detail["reason"], e.Detail["error"])
}

// texts say what kinds of events mean; others are told by their kind.
var texts = map[string]string{
	mfa.EventPasswordOK:        "The password was right.",
	mfa.EventPasswordFailed:    "The name or password was wrong.",
	mfa.EventPasswordLocked:    "A password was not checked, because of a wait after too many failures.",
	mfa.EventMFAInitiated:      "A second step began.",
	mfa.EventMFAOK:             "The code was right.",
	mfa.EventMFAFailed:         "The code was wrong.",
	mfa.EventMFAReplayed:       "The code was used before, or is no longer accepted.",
	mfa.EventMFALocked:         "A code was not checked, because of a wait after too many failures.",
	mfa.EventMFADisabled:       "The second factor was disabled after too many failures.",
	mfa.EventMFAExpired:        "A response came after the second step had expired.",
	mfa.EventMFACancelled:      "The second step was cancelled.",
	mfa.EventRecoveryUsed:      "A recovery code was used.",
	mfa.EventEnrollmentStarted: "The user began to set up a second factor.",
	mfa.EventFactorEnrolled:    "The second factor was set up.",
	mfa.EventConsentGiven:      "The user allowed the application.",
	mfa.EventLoginFinished:     "The login succeeded, and the application got its response.",
	mfa.EventLoginRefused:      "The login ended in an error for the application.",
	mfa.EventLoginCancelled:    "The user cancelled the login.",
	mfa.EventLoginRestarted:    "The user started over.",
	mfa.EventLoginAdopted:      "The browser took the login over.",
	mfa.EventCodeIssued:        "The application got a code.",
	mfa.EventCodeReplayed:      "A code was redeemed twice; its tokens were revoked.",
	mfa.EventRefreshReused:     "A refresh token was used twice; its family was revoked.",
	mfa.EventClientFailed:      "The application failed to authenticate.",
	mfa.EventAPIKeyRefused:     "An API key was refused.",
}

func textOf(e admin.Event) string {
	text, known := texts[e.Kind]
	if !known {
		text = e.Kind + ": " + e.Outcome + "."
	}
	if m := e.Detail["method"]; m != "" && m != "password" {
		text = strings.TrimSuffix(text, ".") + " (" + m + ")."
	}
	if news := e.Detail["new"]; news != "" {
		text += " New about it: " + strings.ReplaceAll(news, ",", ", ") + "."
	}
	if e.Kind == mfa.EventLoginFinished && e.Detail["device"] != "" {
		text += " A remembered device stood in for the second factor."
	}
	if e.Detail["reason"] == mfa.ReasonDisabledUser {
		text += " The user is disabled."
	}
	return text
}

// advices say what to do about a reason.
var advices = map[string]string{
	mfa.ReasonDisabledUser:         "The user is disabled: `sallyport user enable USER`, if that was not intended.",
	mfa.ReasonExpired:              "The user took too long: let them start the step again.",
	string(mfa.InvalidCredentials): "Let the user check name and password. `sallyport user set-password USER` sets a new one.",
	string(mfa.InvalidPasscode):    "Let the user check that the clock of the phone is right, and that the entry in the app is this account's.",
	string(mfa.Replayed):           "Let the user wait for the next code.",
	string(mfa.PasscodeExpired):    "Let the user request a new code.",
	string(mfa.TooMany):            "Let the user wait, or end the wait once you have verified who is calling: `sallyport user unlock USER`.",
	string(mfa.Locked):             "Verify who is calling, then `sallyport user unlock USER`.",
	"access_denied":                "The user cancelled, or did not allow the application. Nothing is wrong.",
	"unknown_client":               "Check the client_id in the application: `sallyport client list`.",
	"disabled_client":              "The client is disabled; its record in the desired state says so.",
	"wrong_secret":                 "The application uses a wrong secret: `sallyport client rotate-secret CLIENT` makes a new one.",
	"wrong_method":                 "The application sends its secret in another way than its token_endpoint_auth_method says: change one of them.",
}

// adviceOn says what to do: about the step that was asked about, or else the last one.
func adviceOn(s story) string {
	if len(s.Steps) == 0 {
		return "The audit trail has nothing with this number. Look for it in the log: the line \"refused\" has the reason, which docs/errors.md explains. " +
			"A number may also be misheard, older than audit.keep, or from before an upgrade."
	}
	last := s.Steps[len(s.Steps)-1]
	for _, x := range s.Steps {
		if x.Asked && x.Reason != "" {
			last = x
		}
	}
	if last.Reason == string(mfa.TooMany) && last.bucket == throttle.Address {
		return "The address waits, not the user: `sallyport waits lift --address ADDRESS`, once you know who uses it."
	}
	if advice := advices[last.Reason]; advice != "" {
		return advice
	}
	if last.Reason != "" {
		return "docs/errors.md explains " + cli.Printable(last.Reason) + "; the log has more under this number."
	}
	return "Nothing was refused here. If something failed, the log has it under this number."
}

func writeStory(w io.Writer, s story) {
	fmt.Fprintf(w, "support number %s\n", cli.Printable(s.Support))
	if s.Client != "" {
		fmt.Fprintf(w, "application    %s\n", cli.Printable(string(s.Client)))
	}
	if s.User != "" {
		fmt.Fprintf(w, "user           %s\n", strings.TrimSpace(cli.Printable(s.Name)+" ("+string(s.User)+")"))
	}
	fmt.Fprintln(w)
	for _, x := range s.Steps {
		mark := " "
		if x.Asked {
			mark = ">"
		}
		reason := ""
		if x.Reason != "" {
			reason = " [" + cli.Printable(x.Reason) + "]"
		}
		fmt.Fprintf(w, "%s %s  %s%s\n", mark, cli.Time(x.At), cli.Printable(x.Text), reason)
	}
	if len(s.Steps) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, s.Advice)
}
