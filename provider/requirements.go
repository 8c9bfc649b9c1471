package provider

import (
	"sort"

	"sallyport/mfa"
	"sallyport/storage"
)

// level returns the level of an acr value; None if it is unknown.
func (p *Provider) level(name string) mfa.Level {
	if l := mfa.Level(name); rank(l) > 0 {
		return l
	}
	return p.options.ACRAliases[name]
}

// rank orders the levels; 0 is an unknown one.
func rank(l mfa.Level) int {
	switch l {
	case mfa.AAL1:
		return 1
	case mfa.AAL2:
		return 2
	case mfa.PHR:
		return 3
	case mfa.PHRH:
		return 4
	}
	return 0
}

// acrValue returns the acr value for a level, if possible one that the client requested. For
// an essential acr the value must be among those requested (OpenID Connect Core section
// 5.5.1.1), so a weaker one is returned if the level itself was not requested.
func (p *Provider) acrValue(r *request, reached mfa.Level) string {
	names, essential := r.claims.ACR()
	for _, name := range append(append([]string{}, names...), r.acr...) {
		if p.level(name) == reached {
			return name
		}
	}
	best := ""
	if essential {
		for _, name := range names {
			if l := rank(p.level(name)); l > 0 && l <= rank(reached) && l > rank(p.level(best)) {
				best = name
			}
		}
	}
	if best != "" {
		return best
	}
	return string(reached)
}

// acrValues returns the values for discovery: the levels that the methods can reach.
func (p *Provider) acrValues() []string {
	best := mfa.AAL2
	for _, m := range p.verifier.Methods() {
		switch {
		case m.PhishingResistant && m.Hardware != nil:
			best = mfa.PHRH
		case m.PhishingResistant && best == mfa.AAL2:
			best = mfa.PHR
		}
	}
	var values []string
	for _, l := range []mfa.Level{mfa.AAL1, mfa.AAL2, mfa.PHR, mfa.PHRH} {
		if best.AtLeast(l) {
			values = append(values, string(l))
		}
	}
	var aliases []string
	for name, level := range p.options.ACRAliases {
		if best.AtLeast(level) {
			aliases = append(aliases, name)
		}
	}
	sort.Strings(aliases)
	return append(values, aliases...)
}

// requirements returns what the request requires of the login.
func (p *Provider) requirements(r *request) mfa.Requirements {
	var a mfa.Requirements
	for _, name := range r.acr {
		if level := p.level(name); level != mfa.None {
			a.Voluntary = append(a.Voluntary, level)
		}
	}
	names, essential := r.claims.ACR()
	for _, name := range names {
		switch level := p.level(name); {
		case level == mfa.None:
		case essential:
			a.Essential = append(a.Essential, level)
		default:
			a.Voluntary = append(a.Voluntary, level)
		}
	}
	// OpenID Connect Core section 3.1.2.1: max_age=0 is prompt=login.
	switch {
	case r.login || r.maxAge == 0:
		a.Since = r.at
	case r.maxAge > 0:
		a.Since = r.at.Add(-r.maxAge)
	}
	return a
}

// policy returns the policy of the client.
func policy(c *storage.Client) mfa.Policy {
	return mfa.Policy{MFA: c.MFA, Interval: c.MFAInterval.Duration(), Methods: c.AllowedMethods, Passwordless: c.Passwordless, Remember: c.MFARemember.Duration()}
}
