package mfa

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"time"

	"sallyport/input"
	"sallyport/storage"
)

// Method is one kind of authenticator. It reads and never writes: a Proof names what must
// be spent for it to count, and package exchange spends it. methodtest.Run tests a Method.
type Method interface {
	Info() Info
	// Begin starts a try; a method with nothing to show, keep or send returns a zero Begun.
	Begin(ctx context.Context, a Attempt) (Begun, error)
	// Finish checks a response. It returns an *Error with InvalidPasscode or
	// InvalidCredentials for a wrong one, and with Replayed for a right one used before.
	Finish(ctx context.Context, a Attempt, s State, r Response) (Proof, error)
}

// Begun is a try that a method began.
type Begun struct {
	Challenge Challenge // goes to the user
	State     State     // is sealed and kept until Finish
	// TTL is how long the response is valid; 0: as long as tries of other methods.
	TTL time.Duration
	// Message is what to send to the user; nil: nothing. It commits with the try.
	Message *storage.Message
	Toll    *storage.Toll // of a text message
}

// Enroller is a Method whose authenticators users set up themselves.
type Enroller interface {
	Method
	// Enroll creates a pending authenticator and its Handout. The caller fills in ID,
	// user, times and state.
	Enroll(ctx context.Context, h Holder) (storage.Authenticator, Handout, error)
	// Handout returns the Handout of a pending authenticator again.
	Handout(a storage.Authenticator, h Holder) (Handout, error)
}

// Holder is the user an authenticator is enrolled for.
type Holder struct {
	Account storage.Account
	Label   string // names the account to the user
	Unasked bool   // the browser sets it up without a gesture of the user
	// Hardware: only a key in hardware moves the login on.
	Hardware bool
}

// Addressed is an Enroller whose authenticators are addresses that codes are sent to. Users
// enrol by naming one, and Enroll returns InvalidRequest.
type Addressed interface {
	Enroller
	// Kind returns the kind of its addresses: storage.Email or storage.Phone.
	Kind() storage.IdentifierKind
	// EnrollAddress creates a pending authenticator of an address as typed. It returns
	// InvalidIdentifier, and AddressNotAllowed for one that nothing is sent to.
	EnrollAddress(typed string) (storage.Authenticator, error)
	// AddressOf returns the canonical address of an authenticator.
	AddressOf(a storage.Authenticator) string
	// BeginFor is Begin for an address that need not be an authenticator's.
	BeginFor(to Destination) (Begun, error)
}

// AddressDigits is the number of digits of codes for UsageAddress. Whoever may sign up has as many
// accounts, and so guesses, as they like (docs/decisions/0108).
const AddressDigits = 9

// Destination is where a code is sent, and what for.
type Destination struct {
	Address string        // canonical
	TTL     time.Duration // of the code; 0: the method's
	Digits  int           // of the code; 0: the method's
	Locale  string
	Now     time.Time
}

// Handout is what a user needs to set up an authenticator, shown until it is confirmed.
type Handout struct {
	Secret string // base32 without padding
	URI    string // otpauth://
	QR     []byte // PNG
	// Options are the creation options of a passkey, which its device answers.
	Options json.RawMessage
}

// Info describes a method, so that no caller needs to know methods by name.
type Info struct {
	Name              string         // such as "totp"; also the name in the JSON API
	Kinds             []storage.Kind // the factors of NIST SP 800-63B that one proof shows
	AMR               []string       // RFC 8176
	PhishingResistant bool
	// Hardware reports whether an authenticator of the account keeps its key in hardware, as far as is
	// known now: its proofs then have that property. nil: none does.
	Hardware func(storage.Authenticator) bool
	// Unusable reports whether an authenticator signs nobody in as the server is set up now, such as a
	// passkey of another domain. nil: none is.
	Unusable func(storage.Authenticator) bool
	First    bool          // may be the first factor of an ordinary login
	Second   bool          // may be a second factor
	Chosen   bool          // the user chooses its value; changing it voids earlier proofs
	Typed    bool          // the response is a typed code; Digits or text
	Numeric  bool          // the typed code consists of digits
	Digits   int           // how many; 0: that depends on the authenticator's Shape
	Sends    bool          // Begin sends something to the user
	Life     time.Duration // how long what Begin sends in a login is valid; 0: it sends nothing
	Enrolls  bool          // it is an Enroller
	Max      int           // authenticators that a user may hold; 0: three
	// Challenged: the response is to a Challenge, which names the login it is for. It is right
	// without the State of its Begin, so a page may show one before anything is stored.
	Challenged bool
	// Bucket is the throttle bucket of its failures, "password" or "factor"; "": responses
	// cannot be guessed, and are counted at their exchange alone.
	Bucket string
	// Texts hold what the pages say about it, in messages/LANGUAGE.json: method.NAME.short, and
	// what TestScopesAndMethodsHaveTexts demands for what it can do.
	Texts fs.FS
}

// Attempt is one try to prove an identity with a method.
type Attempt struct {
	Account       *storage.Account       // nil: unknown user, or a method that finds the user itself
	Authenticator *storage.Authenticator // nil: any of the user's
	Usage         string
	Login         string // what a Challenge names: the request, until it is restarted; "": none
	Hardware      bool   // only a key in hardware moves the login on
	Name          []byte // keyed hash of the typed name, for decoys; nil: none was typed
	Locale        string
	Now           time.Time
}

// Active returns the active authenticator of a method that may be used; nil: none.
func (a Attempt) Active(method string) *storage.Authenticator {
	if a.Account == nil || a.Account.User.Status == storage.UserDisabled {
		return nil
	}
	for i := range a.Account.Authenticators {
		x := &a.Account.Authenticators[i]
		if x.Method == method && x.State == storage.AuthenticatorActive && (a.Authenticator == nil || a.Authenticator.ID == x.ID) {
			return x
		}
	}
	return nil
}

// Challenge goes to the user: nil for typed codes, creation or request options for passkeys.
type Challenge json.RawMessage

// State is what a method keeps between Begin and Finish. It is stored sealed.
type State []byte

// Response is the user's response to a Challenge, as JSON. It never appears in a log.
type Response json.RawMessage

// LogValue hides the response from slog.
func (Response) LogValue() slog.Value { return slog.StringValue("hidden") }

// String hides the response from fmt.
func (Response) String() string { return "hidden" }

// Typed wraps a typed code or password as a Response.
func Typed(text string) Response {
	b, err := json.Marshal(text)
	if err != nil {
		return Response(`""`)
	}
	return Response(b)
}

// Code returns the code that was typed, in the form of input.Code, and InvalidRequest for a
// response that is not text.
func (r Response) Code() (string, error) {
	var typed string
	if err := json.Unmarshal(r, &typed); err != nil {
		return "", &Error{Code: InvalidRequest}
	}
	return input.Code(typed), nil
}

// Proof is the result of a right response.
type Proof struct {
	User              storage.UserID
	Authenticator     storage.AuthenticatorID
	Kinds             []storage.Kind
	AMR               []string
	PhishingResistant bool
	Hardware          bool
	Spend             storage.CredentialSpend // what storage compares and sets for the proof to count
	Returned          *storage.Toll           // of a code that was sent as a text message
	Findings          []Finding               // what the response says besides
}

// Finding is something that a right response shows about its authenticator: it commits with the
// proof.
type Finding struct {
	Event  string // kind
	Reason string
	Notice string // template of a message to the user; "": none
}

// Usages of a try.
const (
	UsageFirst        = "first"        // identifies the user: a password or a passkey
	UsageSecond       = "second"       // adds a factor after the user is identified
	UsagePasswordless = "passwordless" // a second-factor method alone, where the client allows it
	UsageInitial      = "initial"      // the other name that cidaas has for passwordless
	UsageEnroll       = "enroll"       // confirms an enrolment
	UsageBackend      = "backend"      // reported by a program with an API key, outside a login
	UsageAddress      = "address"      // proves an address of a signed-in user, and no factor
)

// Usages returns every usage of a login.
func Usages() []string {
	return []string{UsageFirst, UsageSecond, UsagePasswordless, UsageInitial, UsageEnroll}
}

// ReplacesPassword reports whether a usage puts a second-factor method in place of a password.
func ReplacesPassword(usage string) bool { return usage == UsagePasswordless || usage == UsageInitial }

// Parser is a Method that can refuse a malformed response before the attempt is counted.
type Parser interface {
	// Parse returns an *Error with InvalidRequest for a malformed response.
	Parse(a Attempt, r Response) error
}

// Reserver is a Method whose Finish is costly. A place is reserved before the attempt is
// counted, so that a full queue costs no user a try.
type Reserver interface {
	// Reserve waits for a place, which release frees. It returns an *Error with Busy if the
	// caller cannot be served in time.
	Reserve(ctx context.Context, p Place) (release func(), err error)
}

// Place describes the caller of Reserve.
type Place struct {
	// From is the caller's network, or the user in a browser that they signed in with
	// before. Callers are served in turn by it, so that none can keep others out.
	From string
	// Queue, if not nil, is called before waiting for a place, unless one is free. Its
	// error ends the wait.
	Queue func(context.Context) error
}

// Issued is an Enroller whose handouts name an issuer.
type Issued interface {
	Enroller
	// HandoutAs is Handout for another issuer than the server.
	HandoutAs(a storage.Authenticator, issuer, label string) (Handout, error)
}

// Shape holds the parameters an enrolment may choose. Zero values mean the server's setting.
type Shape struct {
	Algorithm string `json:"algorithm"`
	Digits    int    `json:"digits"`
}

// Shaper is an Enroller whose authenticators come in several shapes.
type Shaper interface {
	Enroller
	// Shapes returns all shapes, the server's setting first.
	Shapes() []Shape
	// EnrollShaped is Enroll with a shape. It returns InvalidRequest for one not in Shapes.
	EnrollShaped(ctx context.Context, h Holder, s Shape) (storage.Authenticator, Handout, error)
}

// Standalone reports whether a user can hold the method as the only second factor.
// Recovery codes accompany another one.
func (i Info) Standalone() bool { return i.Enrolls || i.Sends }

// Peppered is a Method whose stored secrets need a pepper, beside the key that seals them.
type Peppered interface {
	Method
	// PepperOf returns the pepper a secret needs; "" for none.
	PepperOf(secret []byte) storage.KeyID
}
