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
	var amr []string
	for i := range fs {
		amr = append(amr, fs[i].AMR...)
	}
	level := weigh(fs).level()
	if level.AtLeast(AAL2) {
		amr = append(amr, "mfa")
	}
	slices.Sort(amr)
	return level, slices.Compact(amr)
}

// weight is what proofs are worth together.
type weight struct {
	any       bool
	kind      storage.Kind // the first that was shown
	kinds     bool         // more than one was
	resistant bool
	hardware  bool
}

func weigh(fs []storage.Factor) weight {
	var w weight
	for i := range fs {
		w = w.with(&fs[i])
	}
	return w
}

func (w weight) with(f *storage.Factor) weight {
	w.any = true
	for _, k := range f.Kinds {
		if w.kind == "" {
			w.kind = k
		}
		w.kinds = w.kinds || k != w.kind
	}
	w.resistant = w.resistant || f.PhishingResistant
	w.hardware = w.hardware || f.PhishingResistant && f.Hardware
	return w
}

func (w weight) level() Level {
	switch {
	case !w.any:
		return None
	case !w.kinds:
		return AAL1
	case !w.resistant:
		return AAL2
	case !w.hardware:
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
