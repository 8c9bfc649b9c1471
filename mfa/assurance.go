package mfa

import (
	"slices"

	"sallyport/storage"
)

// Assess says what proofs are worth: the authentication context class and the
// authentication methods references (RFC 8176), sorted.
//
// Two proofs of one kind are no more than one (NIST SP 800-63B section 4.2): a
// TOTP code and a recovery code are both things one has. "mfa" is said exactly
// where two kinds were shown.
func Assess(fs []storage.Factor) (Level, []string) {
	if len(fs) == 0 {
		return None, nil
	}
	var kinds []storage.Kind
	var amr []string
	resistant := false
	for _, f := range fs {
		kinds = append(kinds, f.Kinds...)
		amr = append(amr, f.AMR...)
		resistant = resistant || f.PhishingResistant
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
	slices.Sort(amr)
	return level, slices.Compact(amr)
}

// rank orders levels; unknown ones are out of reach.
func Rank(l Level) int {
	switch l {
	case None:
		return 0
	case AAL1:
		return 1
	case AAL2:
		return 2
	case PHR:
		return 3
	}
	return 4
}

func higher(a, b Level) Level {
	if Rank(b) > Rank(a) {
		return b
	}
	return a
}
