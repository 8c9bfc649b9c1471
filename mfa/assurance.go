package mfa

import (
	"slices"

	"sallyport/storage"
)

// Assess returns the acr and the amr (RFC 8176, sorted) of proofs.
//
// Two proofs of one kind are worth one (NIST SP 800-63B section 4.2): a TOTP code and a
// recovery code both show something the user has. amr holds "mfa" with two kinds.
func Assess(fs []storage.Factor) (Level, []string) {
	if len(fs) == 0 {
		return None, nil
	}
	var kinds []storage.Kind
	var amr []string
	resistant, hardware := false, false
	for _, f := range fs {
		kinds = append(kinds, f.Kinds...)
		amr = append(amr, f.AMR...)
		resistant = resistant || f.PhishingResistant
		hardware = hardware || f.PhishingResistant && f.Hardware
	}
	slices.Sort(kinds)
	level := AAL1
	if len(slices.Compact(kinds)) > 1 {
		level = AAL2
		amr = append(amr, "mfa")
	}
	if level == AAL2 && resistant {
		level = PHR
	}
	if level == PHR && hardware {
		level = PHRH
	}
	slices.Sort(amr)
	return level, slices.Compact(amr)
}

// AtLeast reports whether a level equals or exceeds other. No level reaches an unknown one.
func (l Level) AtLeast(other Level) bool { return rank(l) >= rank(other) }

func rank(l Level) int {
	levels := []Level{None, AAL1, AAL2, PHR, PHRH}
	if i := slices.Index(levels, l); i >= 0 {
		return i
	}
	return len(levels)
}

func higher(a, b Level) Level {
	if !a.AtLeast(b) {
		return b
	}
	return a
}
