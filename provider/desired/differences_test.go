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
