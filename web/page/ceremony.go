package page

import (
	"encoding/json"

	"sallyport/mfa"
)

// Ceremony is a call of the browser's WebAuthn API, which the script passkey.js makes for a form
// with the template "ceremony". The data of a page embeds it.
type Ceremony struct {
	Call    string // "get" or "create"; "": the page has none
	Options string // JSON
	Fresh   string // address of newer options; "": there are none
	Renew   int    // seconds until they are needed
	Signal  string // JSON of what the script tells the browser's passkey manager; "": nothing
	Begin   string // when the script makes the call; "": when the user presses the button, or types a name
}

// Values of Ceremony.Begin.
const (
	BeginNow     = "now"     // at once, as the user has pressed a button for it
	BeginAsked   = "asked"   // only when the user presses the button
	BeginUnasked = "unasked" // at once, where the browser does it without asking the user
)

// Signals returns Ceremony.Signal of a refusal: a passkey that no account has is to be forgotten.
func Signals(refusal error) string {
	unknown := mfa.UnknownOf(refusal)
	if unknown == nil {
		return ""
	}
	text, err := json.Marshal(map[string]json.RawMessage{"signalUnknownCredential": unknown})
	if err != nil {
		return "" // it was written as JSON
	}
	return string(text)
}

// Asking returns the ceremony that proves a passkey.
func Asking(c mfa.Challenge) Ceremony { return Ceremony{Call: "get", Options: string(c)} }
