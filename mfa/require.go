package mfa

import (
	"encoding/json"
	"slices"
	"time"

	"sallyport/storage"
)

// minInterval keeps TIME_BASED from demanding a proof twice within one login.
const minInterval = 5 * time.Minute

// Require is the policy table. It returns what a login of an account (nil: no user is
// known) at a client with policy p still needs, given the proofs fs of its request and
// session. It has no side effects.
//
// The level that the client's policy and the user's setting demand must be reached, by
// enrolling if need be. acr_values are met where the user can (OpenID Connect Core section
// 3.1.2.1); an essential acr is met or the login fails (section 5.5.1.1).
func Require(p Policy, a *storage.Account, fs []storage.Factor, required Requirements, methods []Info, now time.Time) Verdict {
	t := Rules{Policy: p, Methods: methods}
	if a == nil || !a.User.In() {
		return Verdict{Need: NeedFirst, Needed: t.RequiredLevel(nil, required), Methods: t.methodNames(Info.isFirst)}
	}
	v := Verdict{Factors: t.validFactors(a, fs, required.Since, now)}
	t.familiar = t.News(v.Factors) == NewNothing && HasSecond(a, methods)
	t.two = p.Passwordless && methodsOf(v.Factors) > 1
	v.ACR, v.AMR = Assess(v.Factors)
	for _, f := range v.Factors {
		v.AuthTime = f.At // of the newest proof
	}
	v.Needed = t.targetLevel(a, v.Factors, required)
	if !v.ACR.AtLeast(v.Needed) && t.spares(a, v.Factors, required, now) {
		t.spared = true
		v.Needed = t.targetLevel(a, v.Factors, required)
		v.Spared = v.ACR.AtLeast(v.Needed) && t.identifies(v.Factors)
	}
	switch {
	case !t.identifies(v.Factors):
		v.Need, v.Methods = NeedFirst, t.methodNames(Info.isFirst)
	case v.ACR.AtLeast(v.Needed):
		v.ACR = acrFor(v.ACR, required.Essential)
	default:
		v.Need, v.Methods = t.nextNeed(a, v.Factors, v.Needed, required)
	}
	return v
}

// Rules are a client's policy over the methods of the server.
type Rules struct {
	Policy  Policy
	Methods []Info
	// familiar: nothing is new about a login with SMART. A user without a second factor sets
	// one up before that means anything.
	familiar bool
	spared   bool // the remembered device stands in for what policy demands
	// two: proofs with two methods were given where a code may replace the password. They meet the
	// user's own setting, even if both show something the user has.
	two bool
}

func (i Info) isFirst() bool { return i.First }

// Allows reports whether the client allows a method. A list without any first-factor
// method restricts second factors only.
func (t Rules) Allows(i Info) bool {
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
func (t Rules) info(name string) (Info, bool) {
	for _, i := range t.Methods {
		if i.Name == name {
			return i, t.Allows(i)
		}
	}
	return Info{}, false
}

// methodNames returns the allowed methods with a property.
func (t Rules) methodNames(is func(Info) bool) []string {
	var out []string
	for _, i := range t.Methods {
		if is(i) && t.Allows(i) {
			out = append(out, i.Name)
		}
	}
	return out
}

// validFactors returns the proofs that count now, oldest first: of allowed methods, with
// authenticators the account still has, not before since, and with TIME_BASED no second
// factor older than the interval.
func (t Rules) validFactors(a *storage.Account, fs []storage.Factor, since, now time.Time) []storage.Factor {
	stale := now.Add(-max(t.Policy.Interval, minInterval))
	var out []storage.Factor
	for _, f := range fs {
		i, ok := t.info(f.Method)
		if !ok || f.At.Before(since) || !FactorValid(a, i, f) {
			continue
		}
		if t.Policy.MFA == MFATimeBased && i.Second && f.At.Before(stale) {
			continue
		}
		f.Hardware = f.Hardware && i.inHardware(a, f.Authenticator)
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(x, y storage.Factor) int { return x.At.Compare(y.At) })
	return out
}

// identifies reports whether proofs identify the user: a first factor does, and any factor
// where the client allows passwordless logins.
func (t Rules) identifies(fs []storage.Factor) bool {
	return slices.ContainsFunc(fs, func(f storage.Factor) bool {
		i, _ := t.info(f.Method)
		return i.First || t.Policy.Passwordless
	})
}

// RequiredLevel returns the level that the policy, the user's setting (if a is not nil) and
// the request's essential acr demand.
func (t Rules) RequiredLevel(a *storage.Account, required Requirements) Level {
	return higher(t.policyLevel(a), lowest(required.Essential))
}

func (t Rules) policyLevel(a *storage.Account) Level {
	switch t.Policy.MFA { // what a remembered device does not spare
	case MFAResistant:
		return PHR
	case MFAHardware:
		return PHRH
	}
	if t.spared || t.familiar && t.Policy.MFA == MFASmart {
		return AAL1
	}
	off := t.Policy.MFA == MFAOff || t.Policy.MFA == ""
	if off && (a == nil || !a.User.MFAEnabled || t.two) {
		return AAL1
	}
	return AAL2
}

// spares reports whether the remembered device spares the factor that policy demands: a proof with
// it, still valid here, would reach that level, and it is not older than this client accepts. A
// request that demands a recent proof gets one.
func (t Rules) spares(a *storage.Account, given []storage.Factor, required Requirements, now time.Time) bool {
	f := required.Remembered
	if f == nil || t.Policy.MFA == MFASmart || !required.Since.IsZero() || !f.At.After(now.Add(-t.Policy.Remember)) {
		return false
	}
	i, allowed := t.info(f.Method)
	return allowed && i.Second && FactorValid(a, i, *f) && levelOf(given, f).AtLeast(t.policyLevel(a))
}

// targetLevel is RequiredLevel raised to the first voluntary level that can be reached.
func (t Rules) targetLevel(a *storage.Account, given []storage.Factor, required Requirements) Level {
	target := t.RequiredLevel(a, required)
	for _, l := range required.Voluntary {
		if t.reachable(a, given, l) {
			return higher(target, l)
		}
	}
	return target
}

func (t Rules) reachable(a *storage.Account, given []storage.Factor, l Level) bool {
	if levelOf(given, nil).AtLeast(l) {
		return true
	}
	every := given
	for _, i := range t.EnrolledMethods(a, false) {
		if t.identifies(given) && t.reaches(given, FactorOf(i, a), l) {
			return true
		}
		every = append(every[:len(every):len(every)], FactorOf(i, a))
	}
	return !t.identifies(given) && levelOf(every, nil).AtLeast(l)
}

// EnrolledMethods returns the allowed methods the account has enrolled, in the order of
// Methods. disabled includes authenticators disabled after too many failures.
func (t Rules) EnrolledMethods(a *storage.Account, disabled bool) []Info {
	var out []Info
	for _, i := range t.Methods {
		for n := range a.Authenticators {
			x := &a.Authenticators[n]
			if x.Method == i.Name && (disabled || x.State == storage.AuthenticatorActive) && IsEnrolled(*x) && t.Allows(i) {
				out = append(out, i)
				break
			}
		}
	}
	return out
}

// nextNeed returns the next step where the proofs given do not reach the needed level.
//
// A user with a second factor that is disabled or not allowed here must not enrol another
// one: a stolen password would be enough to add it.
func (t Rules) nextNeed(a *storage.Account, given []storage.Factor, needed Level, required Requirements) (Need, []string) {
	if methods := t.afterCode(a, given, required); len(methods) > 0 {
		return NeedSecond, methods
	}
	if need, methods := t.heldFor(a, given, needed); len(methods) > 0 {
		return need, methods
	}
	policy := t.policyLevel(a)
	if !policy.AtLeast(higher(AAL2, lowest(required.Essential))) {
		return NeedUnmet, nil
	}
	if HasSecond(a, t.Methods) {
		if !policy.AtLeast(PHR) {
			return NeedUnmet, nil
		}
		// A passkey is enrolled beside another second factor once that is proven.
		if !levelOf(given, nil).AtLeast(AAL2) {
			if need, methods := t.heldFor(a, given, AAL2); len(methods) > 0 {
				return need, methods
			}
			return NeedUnmet, nil
		}
	}
	enrol := t.methodNames(func(i Info) bool { return i.Second && i.Enrolls && t.reaches(given, FactorOf(i, nil), policy) })
	if len(enrol) == 0 {
		return NeedUnmet, nil
	}
	return NeedEnroll, enrol
}

// afterCode returns the second factors of a user who gave a code in place of the password, where
// only the user's own setting demands another proof. Nobody should have to use up a recovery code,
// so there are none where recovery codes alone are left.
func (t Rules) afterCode(a *storage.Account, given []storage.Factor, required Requirements) []string {
	t.two = true
	level := levelOf(given, nil)
	replaced := !slices.ContainsFunc(given, func(f storage.Factor) bool { i, _ := t.info(f.Method); return i.First })
	if !t.Policy.Passwordless || !replaced || !level.AtLeast(t.targetLevel(a, given, required)) {
		return nil
	}
	var out []string
	alone := false
	for _, i := range t.EnrolledMethods(a, true) {
		if i.Second && !slices.ContainsFunc(given, func(f storage.Factor) bool { return f.Method == i.Name }) {
			out, alone = append(out, i.Name), alone || i.Standalone()
		}
	}
	if !alone {
		return nil
	}
	return out
}

func methodsOf(fs []storage.Factor) int {
	names := map[string]bool{}
	for _, f := range fs {
		names[f.Method] = true
	}
	return len(names)
}

// heldFor returns the methods of an account with which the proofs given reach a level, disabled
// ones included: second factors, or else first factors.
func (t Rules) heldFor(a *storage.Account, given []storage.Factor, needed Level) (Need, []string) {
	var firsts, seconds []string
	for _, i := range t.EnrolledMethods(a, true) {
		switch {
		case !t.reaches(given, FactorOf(i, a), needed):
		case i.Second:
			seconds = append(seconds, i.Name)
		case i.First:
			firsts = append(firsts, i.Name)
		}
	}
	if len(seconds) > 0 {
		return NeedSecond, seconds
	}
	return NeedFirst, firsts
}

// reaches reports whether a proof in addition to those given reaches a level.
func (t Rules) reaches(given []storage.Factor, f storage.Factor, l Level) bool {
	return levelOf(given, &f).AtLeast(l)
}

// FactorOf returns the factor that a proof with a method would add: with the best authenticator
// of an account, or, if it is nil, with the best there is.
func FactorOf(i Info, a *storage.Account) storage.Factor {
	best := storage.Factor{Method: i.Name, Kinds: i.Kinds, AMR: i.AMR, PhishingResistant: i.PhishingResistant, Hardware: i.Hardware != nil}
	if a == nil {
		return best
	}
	var own storage.Factor
	for n := range a.Authenticators {
		x := &a.Authenticators[n]
		if x.Method != i.Name || !IsEnrolled(*x) {
			continue
		}
		f, differs := shownBy(i, *x)
		if !differs {
			best.Hardware = best.Hardware && i.Hardware(*x)
			return best
		}
		if own.Method == "" || len(f.Kinds) > len(own.Kinds) || len(f.Kinds) == len(own.Kinds) && f.Hardware && !own.Hardware {
			own = f
		}
	}
	if own.Method == "" {
		best.Hardware = false
		return best
	}
	return own
}

// inHardware reports whether an authenticator of an account keeps its key in hardware, as is known now.
func (i Info) inHardware(a *storage.Account, id storage.AuthenticatorID) bool {
	x := a.Authenticator(id)
	return i.Hardware != nil && x != nil && i.Hardware(*x)
}

// Shown is what proofs with an authenticator show, where that differs between the
// authenticators of a method. It is part of their Data.
type Shown struct {
	Kinds             []storage.Kind `json:"kinds,omitempty"`
	AMR               []string       `json:"amr,omitempty"`
	PhishingResistant bool           `json:"phr,omitempty"`
}

// shownBy returns the factor that a proof with an authenticator would add; false: that of its
// method.
func shownBy(i Info, x storage.Authenticator) (storage.Factor, bool) {
	var s Shown
	if !mayHave(x.Data, `"kinds"`) || json.Unmarshal(x.Data, &s) != nil || len(s.Kinds) == 0 {
		return storage.Factor{}, false
	}
	return storage.Factor{Method: x.Method, Authenticator: x.ID, Kinds: s.Kinds, AMR: s.AMR, PhishingResistant: s.PhishingResistant,
		Hardware: i.Hardware != nil && i.Hardware(x)}, true
}

// FactorValid reports whether a proof is still valid: its authenticator exists, even if
// disabled since, and its password is unchanged.
func FactorValid(a *storage.Account, i Info, f storage.Factor) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return x.State != storage.AuthenticatorPending && FactorMatches(x, i, f)
	})
}

// FactorMatches reports whether a proof was given with an authenticator as it is now. For
// methods whose value the user chooses, UpdatedAt is when the value was changed.
func FactorMatches(x storage.Authenticator, i Info, f storage.Factor) bool {
	changed := i.Chosen && f.At.Before(x.UpdatedAt)
	return x.Method == f.Method && (f.Authenticator == "" || f.Authenticator == x.ID) && !changed
}

// lowest returns the lowest level: any of those listed satisfies an essential request.
func lowest(ls []Level) Level {
	if len(ls) == 0 {
		return None
	}
	return slices.MinFunc(ls, func(x, y Level) int { return rank(x) - rank(y) })
}

// acrFor returns the highest essential level that l reaches, or l if there is none: the ID
// token must carry a value the request lists (OpenID Connect Core section 5.5.1.1).
func acrFor(l Level, essential []Level) Level {
	best := None
	for _, e := range essential {
		if l.AtLeast(e) {
			best = higher(best, e)
		}
	}
	if best == None {
		return l
	}
	return best
}
