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
	t := table{policy: p, methods: methods}
	if a == nil || !a.User.In() {
		return Verdict{Need: NeedFirst, Needed: t.demanded(nil, asked), Methods: t.names(Info.first)}
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
	case rank(v.ACR) >= rank(v.Needed):
		v.ACR = named(v.ACR, asked.Essential)
	default:
		v.Need, v.Methods = t.missing(a, v.Counted, v.Needed, asked)
	}
	return v
}

type table struct {
	policy  Policy
	methods []Info
}

func (i Info) first() bool { return i.First }

// allowed reports whether the client allows a method. A list that names no method
// for the first factor speaks of second factors only.
func (t table) allowed(i Info) bool {
	if len(t.policy.Methods) == 0 || slices.Contains(t.policy.Methods, i.Name) {
		return true
	}
	if !i.First || i.Second {
		return false
	}
	return !slices.ContainsFunc(t.methods, func(m Info) bool {
		return m.First && slices.Contains(t.policy.Methods, m.Name)
	})
}

// info returns an allowed method by name.
func (t table) info(name string) (Info, bool) {
	for _, i := range t.methods {
		if i.Name == name {
			return i, t.allowed(i)
		}
	}
	return Info{}, false
}

// names lists allowed methods with a property.
func (t table) names(is func(Info) bool) []string {
	var out []string
	for _, i := range t.methods {
		if is(i) && t.allowed(i) {
			out = append(out, i.Name)
		}
	}
	return out
}

// counted returns the proofs that count here and now, oldest first: of allowed
// methods, given with what the account still has, not before asked.Since, and with
// TIME_BASED second factors not older than the interval.
func (t table) counted(a *storage.Account, fs []storage.Factor, since, now time.Time) []storage.Factor {
	stale := now.Add(-max(t.policy.Interval, leastInterval))
	var out []storage.Factor
	for _, f := range fs {
		i, ok := t.info(f.Method)
		if !ok || f.At.Before(since) || !lasts(a, i, f) {
			continue
		}
		if t.policy.MFA == MFATimeBased && i.Second && f.At.Before(stale) {
			continue
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(x, y storage.Factor) int { return x.At.Compare(y.At) })
	return out
}

// opened reports whether somebody is identified well enough to go on: by a first
// factor, or by any where the client lets one sign in without a password.
func (t table) opened(counted []storage.Factor) bool {
	return slices.ContainsFunc(counted, func(f storage.Factor) bool {
		i, _ := t.info(f.Method)
		return i.First || t.policy.Passwordless
	})
}

// demanded is the level that must be reached: by policy, by the user's wish (if a
// user is known) and by the request.
func (t table) demanded(a *storage.Account, asked Asked) Level {
	return higher(t.policed(a), lowest(asked.Essential))
}

func (t table) policed(a *storage.Account) Level {
	off := t.policy.MFA == MFAOff || t.policy.MFA == ""
	if off && (a == nil || !a.User.MFAEnabled) {
		return AAL1
	}
	return AAL2
}

// needed adds the first of the voluntary levels that can be reached.
func (t table) needed(a *storage.Account, counted []storage.Factor, asked Asked) Level {
	demanded := t.demanded(a, asked)
	for _, l := range asked.Voluntary {
		if t.reachable(a, counted, l) {
			return higher(demanded, l)
		}
	}
	return demanded
}

func (t table) reachable(a *storage.Account, counted []storage.Factor, l Level) bool {
	if given, _ := Assess(counted); rank(given) >= rank(l) {
		return true
	}
	every := counted
	for _, i := range t.enrolled(a, false) {
		if t.opened(counted) && t.raises(counted, i, l) {
			return true
		}
		every = append(every[:len(every):len(every)], imagined(i))
	}
	best, _ := Assess(every)
	return !t.opened(counted) && rank(best) >= rank(l)
}

// enrolled lists allowed methods the account could prove itself with, in the order
// of the server's methods. A factor that was switched off after too many failures is
// there but can not be used.
func (t table) enrolled(a *storage.Account, switchedOff bool) []Info {
	var out []Info
	for _, i := range t.methods {
		if t.allowed(i) && slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
			return x.Method == i.Name && standing(x) && (switchedOff || x.State == storage.AuthenticatorActive)
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
func (t table) missing(a *storage.Account, counted []storage.Factor, needed Level, asked Asked) (Need, []string) {
	var firsts, seconds []string
	for _, i := range t.enrolled(a, true) {
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
	if rank(policed) < rank(lowest(asked.Essential)) || rank(policed) < rank(AAL2) || hasSecond(a, t.methods) {
		return NeedUnmet, nil
	}
	enrol := t.names(func(i Info) bool { return i.Second && i.Enrolls && t.raises(counted, i, policed) })
	if len(enrol) == 0 {
		return NeedUnmet, nil
	}
	return NeedEnroll, enrol
}

// raises reports whether one more proof of a method would reach a level.
func (t table) raises(counted []storage.Factor, i Info, l Level) bool {
	best, _ := Assess(append(counted[:len(counted):len(counted)], imagined(i)))
	return rank(best) >= rank(l)
}

// imagined is the proof a method would give.
func imagined(i Info) storage.Factor {
	return storage.Factor{Method: i.Name, Kinds: i.Kinds, AMR: i.AMR, PhishingResistant: i.PhishingResistant}
}

// lasts reports whether a proof was given with something the account still has. One
// that was switched off meanwhile was still right when it was given; one that was
// taken away, and a password that was changed, prove nothing any more.
func lasts(a *storage.Account, i Info, f storage.Factor) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return x.State != storage.AuthenticatorPending && gaveWith(x, i, f)
	})
}

// gaveWith reports whether a proof was given with an authenticator as it is now. What
// users choose has no name and no enrolment: UpdatedAt is when it was changed.
func gaveWith(x storage.Authenticator, i Info, f storage.Factor) bool {
	changed := i.Chosen && f.At.Before(x.UpdatedAt)
	return x.Method == f.Method && (f.Authenticator == "" || f.Authenticator == x.ID) && !changed
}

// lowest of several levels: any of them satisfies an essential request.
func lowest(ls []Level) Level {
	if len(ls) == 0 {
		return None
	}
	return slices.MinFunc(ls, func(x, y Level) int { return rank(x) - rank(y) })
}

// named is the name for a level among those an essential request lists: the answer
// must carry one of them (OpenID Connect Core section 5.5.1.1).
func named(l Level, essential []Level) Level {
	best := None
	for _, e := range essential {
		if rank(e) <= rank(l) {
			best = higher(best, e)
		}
	}
	if best == None {
		return l
	}
	return best
}
