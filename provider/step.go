package provider

import (
	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/storage"
)

// Begun is an opened authorization request, or its answer where nothing was left to ask.
type Begun struct {
	Request storage.RequestID // "" with Answer or Finished
	Step    Step              // the first of Request
	// Answer is a refusal for the client.
	Answer *Answer
	// Finished: a living session answered everything, nothing was stored but the code.
	Finished *Finished
}

// Ask is who wants to know what comes next in a login.
type Ask struct {
	// Request is the address of the login: that of its authorization request, or its own.
	Request storage.RequestID
	// Track shows that the caller is the owner of a login; it names the login by itself.
	Track storage.TrackID
	// Sub shows the same for the login at Request, as the masked subject told to its
	// owner. One that does not fit shows nothing, and is no error.
	Sub        string
	Identifier string // as typed; "": none. Counts only while nobody is identified
	// Named is the authenticator a caller names where it names nobody; zero: none. Counts
	// like Identifier, in whose place it stands.
	Named exchange.Choice
	// Lists: the caller will be told what the name could be proven with. The login
	// remembers the name, and is asked about few.
	Lists    bool
	Visit    mfa.Caller
	SignedIn *session.SignedIn
	// Program: not a form of ours calls, which carries a value of its own, but a script
	// or a program. An Origin it sends must be the client's or ours, cookie or not.
	Program bool
}

// StepKind is what has to happen next.
type StepKind string

// The steps. A request goes through them in this order, most of them left out.
const (
	StepIdentify StepKind = "identify" // a first factor is missing
	StepVerify   StepKind = "verify"   // one of Options is missing
	StepEnroll   StepKind = "enroll"   // policy demands a factor the user has not got
	StepRecovery StepKind = "recovery" // fresh recovery codes wait to be seen
	StepConsent  StepKind = "consent"  // the user has not allowed Scopes yet
	StepDone     StepKind = "done"     // Finish makes the code
	StepRefused  StepKind = "refused"  // Finish tells the client Refusal
	StepOver     StepKind = "over"     // completed or cancelled before, in this browser
)

// Step is what has to happen next, with all a page needs to say it.
type Step struct {
	Kind    StepKind
	Request storage.AuthRequest
	// Owned: the caller is the owner of the login. Everybody else is told no more than
	// what is asked for first, and nothing that was proven counts for them.
	Owned bool
	// InBrowser: the owner is the browser the login is bound to, by its cookie.
	InBrowser bool
	// Account is the subject, or, while nobody is identified, whom the typed
	// identifier names; nil: nobody.
	Account    *storage.Account
	Client     storage.Client
	Login      exchange.Login // for the calls of exchange.Verifier
	Verdict    mfa.Verdict
	Options    []exchange.Option
	Scopes     []string // to consent to
	LoginHint  string
	UILocales  []string
	Refusal    string // OAuth error code
	ClientHome string // where "back to the application" leads; "": nowhere
	LoginPage  string // the client's own login page, with the request named; "": ours

	request *request
	asked   Ask
}

// Again asks where the login stands after something was proven in it. What a stranger
// proved began a login of its own.
func (st Step) Again() Ask {
	a := st.asked
	a.Identifier, a.Named, a.Lists = "", exchange.Choice{}, false
	if n := st.Login.Detached; n != nil {
		a.Request, a.Track, a.Sub = n.Login.ID, n.Track, ""
	}
	return a
}
