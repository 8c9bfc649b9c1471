package origin

import "testing"

func TestAPlainHostIsWhatIDNAMakesOfIt(t *testing.T) {
	for name, plain := range map[string]bool{"login.example": true, "127.0.0.1": true, "a--b.example": true, "-a-.example": true, "0": true,
		"a_b": false, "A.example": false, "a..b": false, "a.": false, "xn--mnchen-3ya.example": false, "ümlaut": false, "": false} {
		if isPlain(name) != plain {
			t.Errorf("isPlain(%q) = %v", name, !plain)
		}
		if ascii, err := mapped(name); plain && (err != nil || ascii != name) {
			t.Errorf("IDNA makes %q, %v of %q", ascii, err, name)
		}
	}
}
