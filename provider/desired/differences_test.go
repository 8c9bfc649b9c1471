package desired

import (
	"testing"
)

func TestManagesFactors(t *testing.T) {
	without, err := newClient(&Client{ID: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	with, err := newClient(&Client{ID: "shop", ManagesFactors: true})
	if err != nil {
		t.Fatal(err)
	}
	if without.ManagesFactors || !with.ManagesFactors || len(ClientDifferences(without, with)) != 1 {
		t.Errorf("manages_factors is %t and %t, want it off unless it is set, and a change of it seen", without.ManagesFactors, with.ManagesFactors)
	}
}
