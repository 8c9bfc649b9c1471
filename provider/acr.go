package provider

import (
	"sort"

	"sallyport/mfa"
)

// level is what an acr value from outside means; None is unknown.
func (p *Provider) level(name string) mfa.Level {
	if l := mfa.Level(name); rank(l) > 0 {
		return l
	}
	return p.options.ACRAliases[name]
}

// rank orders the levels; 0 is none of them.
func rank(l mfa.Level) int {
	switch l {
	case mfa.AAL1:
		return 1
	case mfa.AAL2:
		return 2
	case mfa.PHR:
		return 3
	}
	return 0
}

// acrValue names a reached level in the words the client asked with. An essential
// request must be told one of its own values (OpenID Connect Core section 5.5.1.1),
// so there a weaker name is used where the reached level was not asked for.
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

// acrValues are the values discovery offers: the levels our methods can reach.
func (p *Provider) acrValues() []string {
	resistant := false
	for _, m := range p.verifier.Methods() {
		resistant = resistant || m.PhishingResistant
	}
	reachable := func(l mfa.Level) bool { return l != mfa.PHR || resistant }
	values := []string{string(mfa.AAL1), string(mfa.AAL2)}
	if resistant {
		values = append(values, string(mfa.PHR))
	}
	var aliases []string
	for name, level := range p.options.ACRAliases {
		if reachable(level) {
			aliases = append(aliases, name)
		}
	}
	sort.Strings(aliases)
	return append(values, aliases...)
}
