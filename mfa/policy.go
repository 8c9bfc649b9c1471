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
	PHR  Level = "phr"  // phishing-resistant AAL2 (OpenID EAP ACR 1.0)
	PHRH Level = "phrh" // PHR with a key in hardware, as its attestation shows
)

// MFA policies of a client.
const (
	MFAOff       = "OFF"
	MFAAlways    = "ALWAYS"
	MFATimeBased = "TIME_BASED"
	MFASmart     = "SMART" // when something is new, for users with a second factor
	MFAResistant = "PHR"   // the level phr
	MFAHardware  = "PHRH"  // the level phrh
)

// Policy is the multi-factor policy of a client.
type Policy struct {
	MFA          string
	Interval     time.Duration // with MFATimeBased: how long a second factor is valid
	Methods      []string      // allowed methods; empty: all
	Passwordless bool
	// Remember is how long a second factor proven in a browser spares the next one there; 0: not.
	Remember time.Duration
}

// Requirements are what one authorization request demands, and what its browser holds.
type Requirements struct {
	Voluntary []Level   // acr_values: met where the user can
	Essential []Level   // claims.id_token.acr essential: met, or the request fails
	Since     time.Time // earlier proofs do not count (prompt=login, max_age); zero: all count
	// Remembered is the second factor of the remembered device, with the time of its proof; nil:
	// none. It proves nothing now: it lowers what policy demands, and no level, acr or amr shows it.
	Remembered *storage.Factor
}

// Need is the next step of a login.
type Need string

// The needs.
const (
	NeedNothing Need = ""       // done
	NeedFirst   Need = "first"  // no user is identified
	NeedSecond  Need = "second" // a proof with one of Methods
	NeedEnroll  Need = "enroll" // an enrolment: policy demands more than the user's factors reach
	NeedUnmet   Need = "unmet"  // none: the user cannot reach the required level here
)

// Verdict is the result of Require.
type Verdict struct {
	Need    Need
	Needed  Level
	Methods []string // with NeedSecond: methods of the account that reach Needed; with NeedEnroll: methods to enrol
	// What the valid proofs show now: acr, amr (see Assess) and auth_time.
	ACR      Level
	AMR      []string
	AuthTime time.Time
	Factors  []storage.Factor // the valid proofs, oldest first
	// Spared: policy demands a second factor, which the remembered device spares.
	Spared bool
}

// Wants reports whether a proof with a method moves the login on. Where a second factor is
// missing, one that adds nothing to the proofs given would repeat the step.
func (v Verdict) Wants(method string) bool {
	return v.Need != NeedSecond || slices.Contains(v.Methods, method)
}
