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
	var amr []string
	for i := range fs {
		amr = append(amr, fs[i].AMR...)
	}
	level := levelOf(fs, nil)
	if level.AtLeast(AAL2) {
		amr = append(amr, "mfa")
	}
	slices.Sort(amr)
	return level, slices.Compact(amr)
}

// levelOf returns the acr of proofs, and of one more if it is not nil.
func levelOf(fs []storage.Factor, more *storage.Factor) Level {
	var first storage.Kind
	two, resistant, hardware := false, false, false
	add := func(f *storage.Factor) {
		for _, k := range f.Kinds {
			if first == "" {
				first = k
			}
			two = two || k != first
		}
		resistant = resistant || f.PhishingResistant
		hardware = hardware || f.PhishingResistant && f.Hardware
	}
	for i := range fs {
		add(&fs[i])
	}
	if more != nil {
		add(more)
	}
	switch {
	case len(fs) == 0 && more == nil:
		return None
	case !two:
		return AAL1
	case !resistant:
		return AAL2
	case !hardware:
		return PHR
	}
	return PHRH
}

// AtLeast reports whether a level equals or exceeds other. No level reaches an unknown one.
func (l Level) AtLeast(other Level) bool { return rank(l) >= rank(other) }

func rank(l Level) int {
	switch l {
	case None:
		return 0
	case AAL1:
		return 1
	case AAL2:
		return 2
	case PHR:
		return 3
	case PHRH:
		return 4
	}
	return 5
}

func higher(a, b Level) Level {
	if !a.AtLeast(b) {
		return b
	}
	return a
}
