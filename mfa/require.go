package mfa

import (
	"slices"
	"time"

	"sallyport/storage"
)

// leastInterval keeps TIME_BASED from asking again within the login that just asked.
const leastInterval = 5 * time.Minute

// Require is the policy table: what a login of this account (nil: nobody known yet)
// at a client with this policy still needs, given the proofs of its request and
// session. It is pure; require_test.go walks it whole.
//
// What client policy and the user's own wish demand must be reached, by enrolling if
// nothing is enrolled. What acr_values ask is met if it can be (OpenID Connect Core
// section 3.1.2.1); an essential acr is met or the login ends (section 5.5.1.1).
func Require(p Policy, a *storage.Account, fs []storage.Factor, asked Asked, methods []Info, now time.Time) Verdict {
	t := Table{Policy: p, Methods: methods}
	if a == nil || !a.User.In() {
		return Verdict{Need: NeedFirst, Needed: t.Demanded(nil, asked), Methods: t.names(Info.first)}
	}
	v := Verdict{Counted: t.counted(a, fs, asked.Since, now)}
	v.ACR, v.AMR = Assess(v.Counted)
	for _, f := range v.Counted {
		v.AuthTime = f.At // the newest: when the user was last seen proving something
	}
	v.Needed = t.needed(a, v.Counted, asked)
	switch {
	case !t.opened(v.Counted):
		v.Need, v.Methods = NeedFirst, t.names(Info.first)
	case Rank(v.ACR) >= Rank(v.Needed):
		v.ACR = named(v.ACR, asked.Essential)
	default:
		v.Need, v.Methods = t.missing(a, v.Counted, v.Needed, asked)
	}
	return v
}

type Table struct {
	Policy  Policy
	Methods []Info
}

func (i Info) first() bool { return i.First }

// allowed reports whether the client allows a method. A list that names no method
// for the first factor speaks of second factors only.
func (t Table) Allowed(i Info) bool {
	if len(t.Policy.Methods) == 0 || slices.Contains(t.Policy.Methods, i.Name) {
		return true
	}
	if !i.First || i.Second {
		return false
	}
	return !slices.ContainsFunc(t.Methods, func(m Info) bool {
		return m.First && slices.Contains(t.Policy.Methods, m.Name)
	})
}

// info returns an allowed method by name.
func (t Table) info(name string) (Info, bool) {
	for _, i := range t.Methods {
		if i.Name == name {
			return i, t.Allowed(i)
		}
	}
	return Info{}, false
}

// names lists allowed methods with a property.
func (t Table) names(is func(Info) bool) []string {
	var out []string
	for _, i := range t.Methods {
		if is(i) && t.Allowed(i) {
			out = append(out, i.Name)
		}
	}
	return out
}

// counted returns the proofs that count here and now, oldest first: of allowed
// methods, given with what the account still has, not before asked.Since, and with
// TIME_BASED second factors not older than the interval.
func (t Table) counted(a *storage.Account, fs []storage.Factor, since, now time.Time) []storage.Factor {
	stale := now.Add(-max(t.Policy.Interval, leastInterval))
	var out []storage.Factor
	for _, f := range fs {
		i, ok := t.info(f.Method)
		if !ok || f.At.Before(since) || !StillHolds(a, i, f) {
			continue
		}
		if t.Policy.MFA == MFATimeBased && i.Second && f.At.Before(stale) {
			continue
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(x, y storage.Factor) int { return x.At.Compare(y.At) })
	return out
}

// opened reports whether somebody is identified well enough to go on: by a first
// factor, or by any where the client lets one sign in without a password.
func (t Table) opened(counted []storage.Factor) bool {
	return slices.ContainsFunc(counted, func(f storage.Factor) bool {
		i, _ := t.info(f.Method)
		return i.First || t.Policy.Passwordless
	})
}

// demanded is the level that must be reached: by policy, by the user's wish (if a
// user is known) and by the request.
func (t Table) Demanded(a *storage.Account, asked Asked) Level {
	return higher(t.policed(a), lowest(asked.Essential))
}

func (t Table) policed(a *storage.Account) Level {
	off := t.Policy.MFA == MFAOff || t.Policy.MFA == ""
	if off && (a == nil || !a.User.MFAEnabled) {
		return AAL1
	}
	return AAL2
}

// needed adds the first of the voluntary levels that can be reached.
func (t Table) needed(a *storage.Account, counted []storage.Factor, asked Asked) Level {
	demanded := t.Demanded(a, asked)
	for _, l := range asked.Voluntary {
		if t.reachable(a, counted, l) {
			return higher(demanded, l)
		}
	}
	return demanded
}

func (t Table) reachable(a *storage.Account, counted []storage.Factor, l Level) bool {
	if given, _ := Assess(counted); Rank(given) >= Rank(l) {
		return true
	}
	every := counted
	for _, i := range t.Enrolled(a, false) {
		if t.opened(counted) && t.raises(counted, i, l) {
			return true
		}
		every = append(every[:len(every):len(every)], ProofOf(i))
	}
	best, _ := Assess(every)
	return !t.opened(counted) && Rank(best) >= Rank(l)
}

// enrolled lists allowed methods the account could prove itself with, in the order
// of the server's methods. A factor that was switched off after too many failures is
// there but can not be used.
func (t Table) Enrolled(a *storage.Account, switchedOff bool) []Info {
	var out []Info
	for _, i := range t.Methods {
		if t.Allowed(i) && slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
			return x.Method == i.Name && Enrolled(x) && (switchedOff || x.State == storage.AuthenticatorActive)
		}) {
			out = append(out, i)
		}
	}
	return out
}

// missing says what is needed when the level is not reached yet.
//
// Whoever holds a second factor that can not be used here (switched off, not allowed
// by the client) is not sent to enrol another one: a stolen password would do then.
func (t Table) missing(a *storage.Account, counted []storage.Factor, needed Level, asked Asked) (Need, []string) {
	var firsts, seconds []string
	for _, i := range t.Enrolled(a, true) {
		switch {
		case !t.raises(counted, i, needed):
		case i.Second:
			seconds = append(seconds, i.Name)
		case i.First:
			firsts = append(firsts, i.Name)
		}
	}
	if len(seconds) > 0 {
		return NeedSecond, seconds
	}
	if len(firsts) > 0 {
		return NeedFirst, firsts
	}
	policed := t.policed(a)
	if Rank(policed) < Rank(lowest(asked.Essential)) || Rank(policed) < Rank(AAL2) || HasSecond(a, t.Methods) {
		return NeedUnmet, nil
	}
	enrol := t.names(func(i Info) bool { return i.Second && i.Enrolls && t.raises(counted, i, policed) })
	if len(enrol) == 0 {
		return NeedUnmet, nil
	}
	return NeedEnroll, enrol
}

// raises reports whether one more proof of a method would reach a level.
func (t Table) raises(counted []storage.Factor, i Info, l Level) bool {
	best, _ := Assess(append(counted[:len(counted):len(counted)], ProofOf(i)))
	return Rank(best) >= Rank(l)
}

// imagined is the proof a method would give.
func ProofOf(i Info) storage.Factor {
	return storage.Factor{Method: i.Name, Kinds: i.Kinds, AMR: i.AMR, PhishingResistant: i.PhishingResistant}
}

// lasts reports whether a proof was given with something the account still has. One
// that was switched off meanwhile was still right when it was given; one that was
// taken away, and a password that was changed, prove nothing any more.
func StillHolds(a *storage.Account, i Info, f storage.Factor) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return x.State != storage.AuthenticatorPending && GivenBy(x, i, f)
	})
}

// gaveWith reports whether a proof was given with an authenticator as it is now. What
// users choose has no name and no enrolment: UpdatedAt is when it was changed.
func GivenBy(x storage.Authenticator, i Info, f storage.Factor) bool {
	changed := i.Chosen && f.At.Before(x.UpdatedAt)
	return x.Method == f.Method && (f.Authenticator == "" || f.Authenticator == x.ID) && !changed
}

// lowest of several levels: any of them satisfies an essential request.
func lowest(ls []Level) Level {
	if len(ls) == 0 {
		return None
	}
	return slices.MinFunc(ls, func(x, y Level) int { return Rank(x) - Rank(y) })
}

// named is the name for a level among those an essential request lists: the answer
// must carry one of them (OpenID Connect Core section 5.5.1.1).
func named(l Level, essential []Level) Level {
	best := None
	for _, e := range essential {
		if Rank(e) <= Rank(l) {
			best = higher(best, e)
		}
	}
	if best == None {
		return l
	}
	return best
}
