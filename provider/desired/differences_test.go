package desired

import (
	"testing"
)

func TestManagesFactors(t *testing.T) {
	without, with := newClient(&Client{ID: "shop"}), newClient(&Client{ID: "shop", ManagesFactors: true})
	if without.ManagesFactors || !with.ManagesFactors || len(ClientDifferences(without, with)) != 1 {
		t.Errorf("manages_factors is %t and %t, want it off by default, and a change of it reported", without.ManagesFactors, with.ManagesFactors)
	}
}

// A change of sector is more than the settings it comes from.
func TestChangesOfSubjectsAreWarnedOf(t *testing.T) {
	one := Client{ID: "shop", RedirectURIs: []string{"https://a.example/cb"}}
	pair, moved, renamed := one, one, one
	pair.SubjectType = "pairwise"
	moved.SubjectType, moved.RedirectURIs = "pairwise", []string{"https://b.example/cb"}
	renamed.Name = "Shop"
	for name, tc := range map[string]struct {
		have, want Client
		warned     bool
	}{
		"public to pairwise":            {one, pair, true},
		"pairwise to public":            {pair, one, true},
		"another host":                  {pair, moved, true},
		"another host, and public":      {one, Client{ID: "shop", RedirectURIs: moved.RedirectURIs}, false},
		"another name":                  {one, renamed, false},
		"a new client that is pairwise": {Client{}, pair, false},
	} {
		warned := false
		for _, d := range ClientDifferences(newClient(&tc.have), newClient(&tc.want)) {
			warned = warned || d.Warning != ""
		}
		if warned != tc.warned {
			t.Errorf("%s: warned %v, want %v", name, warned, tc.warned)
		}
	}
}
