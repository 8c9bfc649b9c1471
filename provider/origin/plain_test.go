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

func TestTheUsualSpellingIsThatOfTheParser(t *testing.T) {
	for _, text := range []string{"", "https://", "http://", "https:///path", "https://rp.example", "http://rp.example/cb", "https://rp.example/cb/a-b_c.~1", "https://127.0.0.1/", "https://[::1]/", "https://rp.example:443/",
		"http://rp.example:8080", "https://RP.example/", "https://xn--bcher-kva.example/", "https://a@rp.example/", "https://rp.example/%zz", "https://rp.example/%41", "https://rp.example/a b", "https://rp.example/\x01", "https://rp.example?x",
		"https://rp.example/?x", "https://rp.example#", "https://rp.example\\", "https://rp..example/", "https://rp.example./", "https://-rp.example/", "https://bücher.example/", "HTTPS://rp.example/", "ftp://rp.example/", "https:rp.example", "https://0x7f.1/",
		"http://rp.example:80/", "https://rp.example:", "https://rp.example:/", "https://rp.example:08080", "https://rp.example:65536", "https://rp.example:+8080", "https://rp.example:0", "https://rp.example:8080:1", "https://a:8080@rp.example/"} {
		if got := usual(text); got != "" && got != parsed(text) {
			t.Errorf("usual(%q) = %q, the parser says %q", text, got, parsed(text))
		}
	}
	for text, want := range map[string]string{"https://rp.example": "https://rp.example", "http://rp.example/cb": "http://rp.example", "https://rp.example/cb/a-b_c.~1": "https://rp.example",
		"http://127.0.0.1:8080/cb": "http://127.0.0.1:8080"} {
		if got := usual(text); got != want {
			t.Errorf("usual(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzUsual(f *testing.F) {
	f.Add("https://rp.example/cb")
	f.Fuzz(func(t *testing.T, text string) {
		if got := usual(text); got != "" && got != parsed(text) {
			t.Errorf("usual(%q) = %q, the parser says %q", text, got, parsed(text))
		}
	})
}
