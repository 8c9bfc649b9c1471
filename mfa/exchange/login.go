package exchange

import (
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Proving is the login a proof is for, as provider read and checked it.
type Login struct {
	Request    storage.AuthRequest
	Account    *storage.Account // of the request's subject, else of the identifier; nil: unknown
	Identifier string           // canonical; what was typed, for decoys and counters
	Policy     mfa.Policy
	Asked      mfa.Asked
	// Login, if not nil, is the detached login that a first factor begins, because the
	// caller is not the owner of the request. Request then shows nothing of what others
	// have proven in it.
	Detached *storage.NewLogin
	// Sub names the user of the login to its owner; "": no user is identified yet.
	Sub string
}

// advance writes a proven factor where the caller's login is: into the request, or
// into a detached login.
func (p Login) advance(s *storage.Spend, user storage.UserID, f *storage.Factor, now time.Time) {
	if p.Detached == nil {
		s.Request = &storage.RequestChange{ID: p.Request.ID, Version: p.Request.Version, Subject: user, Factor: f, Now: now}
		return
	}
	n := *p.Detached
	n.Login.Subject, n.Login.Factors = user, []storage.Factor{*f}
	s.Login = &n
}

// initiations are the tries a caller may begin: callers who are not the owner of the login
// leave half of them to the owner.
func (p Login) initiations(most int) int {
	if p.Detached != nil {
		return (most + 1) / 2
	}
	return most
}

// masked names a user of a login to its callers.
//
// Until a user is identified it belongs to the name: two names of one user have two.
func (v *Verifier) masked(p Login, user storage.UserID) string {
	if p.Sub != "" {
		return p.Sub
	}
	if p.anonymous() {
		user = storage.FromBytes[storage.UserID](v.hash128("name's user", string(v.digest(p.Identifier))))
	}
	return v.keyring.Mask(p.Request.ID, user)
}

// verdict is the policy table over the proofs of the request.
func (v *Verifier) verdict(p Login) mfa.Verdict {
	return mfa.Require(p.Policy, p.Account, p.Request.Factors, p.Asked, v.infos, v.now())
}

// allows reports whether the client of the login allows a method.
func (p Login) allows(v *Verifier, i mfa.Info) bool {
	return mfa.Table{Policy: p.Policy, Methods: v.infos}.Allowed(i)
}

// proven is the factor that a right response becomes.
func proven(p mfa.Proof, t try) *storage.Factor {
	return &storage.Factor{Method: t.method.Info().Name, Authenticator: p.Authenticator, Kinds: p.Kinds, AMR: p.AMR,
		PhishingResistant: p.PhishingResistant, At: t.attempt.Now.Truncate(time.Microsecond)}
}
