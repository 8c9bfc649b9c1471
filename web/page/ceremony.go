package page

import (
	"encoding/json"
	"strings"

	"sallyport/mfa"
	"sallyport/storage"
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

// ceremonyShape is a Ceremony without its random values.
type ceremonyShape struct {
	call, begin                 string
	renew                       int
	options, rest, fresh, after string
}

// Shape is what Data.Kept returns, for the ceremony of a page in a login.
func (c Ceremony) Shape(request storage.RequestID) (shape any, random []string, ok bool) {
	if c == (Ceremony{}) {
		return nil, nil, true
	}
	s := ceremonyShape{call: c.Call, begin: c.Begin, renew: c.Renew}
	before, after, found := strings.Cut(c.Options, challengeField)
	challenge, rest, ended := strings.Cut(after, `"`)
	if !found || !ended || c.Signal != "" {
		return nil, nil, false
	}
	s.options, s.rest = before, rest
	s.fresh, s.after, _ = strings.Cut(c.Fresh, string(request))
	return s, []string{challenge}, true
}

// challengeField is what is before the challenge in the options of a ceremony.
const challengeField = `"challenge":"`
