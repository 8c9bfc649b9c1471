package mfa

import (
	"slices"
	"time"

	"sallyport/storage"
)

// Level is an authentication context class (acr). The strings are the acr values.
type Level string

// The levels, weakest first. NIST SP 800-63B sections 4.1 and 4.2.
const (
	None Level = ""
	AAL1 Level = "aal1" // one factor
	AAL2 Level = "aal2" // two factors of different kinds, or one passkey with user verification
	PHR  Level = "phr"  // phishing-resistant AAL2
)

// MFA policies of a client.
const (
	MFAOff       = "OFF"
	MFAAlways    = "ALWAYS"
	MFATimeBased = "TIME_BASED"
)

// Policy is what a client demands and allows.
type Policy struct {
	MFA          string
	Interval     time.Duration // TIME_BASED: how long a second factor holds
	Methods      []string      // allowed methods; empty: every one
	Passwordless bool
}

// Asked is what one authorization request asks for.
type Asked struct {
	Voluntary []Level   // acr_values: met if it can be
	Essential []Level   // claims.id_token.acr essential: met or refused
	Since     time.Time // proofs before it do not count (prompt=login, max_age); zero: all count
}

// Need is what has to happen next for a login to be done.
type Need string

// The needs.
const (
	NeedNothing Need = ""       // done
	NeedFirst   Need = "first"  // nobody proved anything yet
	NeedSecond  Need = "second" // one of Methods is missing
	NeedEnroll  Need = "enroll" // policy demands a level that nothing enrolled can reach
	NeedUnmet   Need = "unmet"  // an essential acr can not be reached by this user here
)

// Verdict is what the policy table says (pure, tested whole).
type Verdict struct {
	Need    Need
	Needed  Level
	Methods []string // with NeedSecond: methods of the account that would do; with NeedEnroll: methods to enrol
	// What the proofs show now: acr, amr (RFC 8176, sorted, "mfa" with two kinds), auth_time.
	ACR      Level
	AMR      []string
	AuthTime time.Time
	Counted  []storage.Factor // the factors that count, oldest first
}

// Wants reports whether a method helps the login on: where a second factor is missing, one
// that adds nothing to the proofs given would lead back to the same step.
func (v Verdict) Wants(method string) bool {
	return v.Need != NeedSecond || slices.Contains(v.Methods, method)
}
