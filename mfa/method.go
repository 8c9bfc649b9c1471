package mfa

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"time"

	"sallyport/storage"
)

// Method is a way to prove who one is. It reads and never writes: what must be
// spent for a proof to count is named in the Proof, and the Verifier spends it.
// mfatest.Run proves a Method.
type Method interface {
	Info() Info
	// Begin starts a try: the Challenge goes to the user, the State is kept sealed
	// until Finish. A method without either returns zero values.
	Begin(ctx context.Context, a Attempt) (Challenge, State, error)
	// Finish checks the response. A wrong one is *Error with InvalidPasscode or
	// InvalidCredentials, a right one used before is Replayed.
	Finish(ctx context.Context, a Attempt, s State, r Response) (Proof, error)
}

// Enroller is a Method with something to hand out before its first proof.
type Enroller interface {
	Method
	// Enroll makes a pending authenticator (ID, user, times and state are filled by
	// the caller) and says how the user takes it over. label names the account.
	Enroll(ctx context.Context, label string) (storage.Authenticator, Handout, error)
	// Handout says it again while the enrolment is pending.
	Handout(a storage.Authenticator, label string) (Handout, error)
}

// Handout is what a user needs to take an authenticator over, shown until it is confirmed.
type Handout struct {
	Secret string // base32 without padding
	URI    string // otpauth://
	QR     []byte // PNG
}

// Info is what a page or dialect must know about a method, so that none asks "is this TOTP?".
type Info struct {
	Name              string         // "totp"; also the wire name of our own API
	Kinds             []storage.Kind // what one proof of it shows
	AMR               []string       // RFC 8176
	PhishingResistant bool
	First             bool   // may be the first factor of an ordinary login
	Second            bool   // may be a second factor
	Chosen            bool   // its value is what the user chose: changing it voids earlier proofs
	Typed             bool   // the response is a typed code; Digits or text
	Numeric           bool   // the typed code consists of digits
	Sends             bool   // Begin sends something to the user
	Enrolls           bool   // is an Enroller
	Bucket            string // throttle bucket of its failures: "password" or "factor"
	// Texts hold what the pages say about it, in messages/LANGUAGE.json: method.NAME.short, and
	// what TestScopesAndMethodsHaveTheirTexts demands for what it can do.
	Texts fs.FS
}

// Attempt is who tries what.
type Attempt struct {
	Account       *storage.Account       // nil: unknown user, or a method that finds the user itself
	Authenticator *storage.Authenticator // nil: any of the user's, or none
	Usage         string
	Locale        string
	Now           time.Time
}

// Challenge goes to the user: nil for typed codes, creation or request options for passkeys.
type Challenge json.RawMessage

// State is what a method puts aside between Begin and Finish. It is kept sealed.
type State []byte

// Response is what the user gave, as JSON. It never appears in a log.
type Response json.RawMessage

// LogValue hides the response.
func (Response) LogValue() slog.Value { return slog.StringValue("hidden") }

// String hides the response.
func (Response) String() string { return "hidden" }

// Typed wraps a typed code or password as a Response.
func Typed(text string) Response {
	b, err := json.Marshal(text)
	if err != nil {
		return Response(`""`)
	}
	return Response(b)
}

// Proof is a right response.
type Proof struct {
	User              storage.UserID
	Authenticator     storage.AuthenticatorID
	Kinds             []storage.Kind
	AMR               []string
	PhishingResistant bool
	Spend             storage.CredentialSpend // what must be compared and set for it to count
}

// Usages of a try.
const (
	UsageFirst        = "first"        // password, or a passkey: who is it
	UsageSecond       = "second"       // a further factor in an identified request
	UsagePasswordless = "passwordless" // a second-factor method alone, where the client allows it
	UsageInitial      = "initial"      // the same under cidaas' other name
	UsageEnroll       = "enroll"       // confirms an enrolment
)

// Usages returns every usage.
func Usages() []string {
	return []string{UsageFirst, UsageSecond, UsagePasswordless, UsageInitial, UsageEnroll}
}

// ReplacesPassword reports whether a second-factor method is used in place of a password.
func ReplacesPassword(usage string) bool { return usage == UsagePasswordless || usage == UsageInitial }

// Parser is a Method that tells a malformed response before anything is counted.
type Parser interface {
	Parse(a Attempt, r Response) error
}

// Reserver is a Method whose Finish is costly. The place is reserved before the
// attempt is counted, so that a full queue costs nobody a try.
type Reserver interface {
	Reserve(ctx context.Context, p Place) (release func(), err error)
}

// Place is for whom a costly computation is asked for.
type Place struct {
	// From is the network the asking comes from: it has at most a share of all places,
	// so that one address can not keep everybody else out. "" counts for nobody.
	From string
	// Queue, if not nil, is asked before a place is waited for, and not where one is
	// free. What it refuses does not wait.
	Queue func(context.Context) error
}

// Shape is what an enrolment may choose about an authenticator. Zero values mean the
// server's own setting.
type Shape struct {
	Algorithm string `json:"algorithm"`
	Digits    int    `json:"digits"`
}

// Shaper is an Enroller whose authenticators come in several shapes.
type Shaper interface {
	Enroller
	// Shapes lists what can be chosen, the server's own setting first.
	Shapes() []Shape
	// EnrollShaped is Enroll with a choice; one that is not among Shapes is refused.
	EnrollShaped(ctx context.Context, label string, s Shape) (storage.Authenticator, Handout, error)
}

// alone reports whether a second factor comes without another one: recovery codes do not.
func (i Info) Standalone() bool { return i.Enrolls || i.Sends }
