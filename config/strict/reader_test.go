package strict_test

import (
	"strings"
	"testing"

	"sallyport/config/strict"
	"sallyport/config/strict/stricttest"
)

// shop is read by the tests of this file.
type shop struct {
	Name   string         `yaml:"name"`
	Prices map[string]int `yaml:"prices"`
	Claims map[string]any `yaml:"claims"`
	Owner  struct {
		Mail string `yaml:"mail"`
	} `yaml:"owner"`
	Doors []struct {
		Width int `yaml:"width"`
	} `yaml:"doors"`
}

func TestNoFaultQuotesWhatIsInThePlaceOfAKey(t *testing.T) {
	const secret = "pa55.W0rd"
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"on the top", "name: a\nSECRET: x\n", []string{"f:2: there is no such key"}},
		{"further down", "owner:\n  SECRET: x\n", []string{"f:2: owner: there is no such key; those here are mail"}},
		{"in a list", "doors:\n- width: 1\n- SECRET: x\n", []string{"f:3: doors[1]: there is no such key; those here are width"}},
		{"with more below it", "SECRET:\n  SECRET: {SECRET: x}\n", []string{"f:1: there is no such key"}},
		{"in quotes", "\"SECRET\": x\n", []string{"f:1: there is no such key"}},
		{"as an open key", "prices: {SECRET: x}\n", []string{"f:1: prices: must be a whole number"}},
		{"below open keys", "claims: {a: {SECRET: [{SECRET: 1.5}]}}\n", []string{"f:1: claims: must be text"}},
		{"without value", "claims: {SECRET: }\n", []string{"f:1: claims: has no value"}},
		{"twice", "SECRET: x\nSECRET: y\n", []string{"f:2: not valid YAML: mapping key already defined at [1:1]"}},
		{"twice, with quotes in it", "'SE\"CRET': x\n'SE\"CRET': y\n", []string{"f:2: not valid YAML: mapping key already defined"}},
		{"an open key twice", "claims:\n  SECRET: x\n  SECRET: y\n", []string{"f:3: not valid YAML: mapping key already defined"}},
		{"without a colon", "SECRET\n", []string{"f: must be a set of keys and values"}},
		{"after a value", "name: a\nSECRET\n", []string{"f:2: not valid YAML"}},
		{"as an anchor", "name: &SECRET a\n", []string{"f:1: name: anchors"}},
		{"as an alias", "name: *SECRET\n", []string{"name: anchors"}},
		{"as a tag", "name: !SECRET a\n", []string{"f:1: name: anchors"}},
		{"as an escape", "name: \"\\SECRET\"\n", []string{"f:1: not valid YAML"}},
		{"as a directive", "%YAML SECRET\n---\nname: a\n", []string{"f:1: not valid YAML"}},
		{"as a header of a block", "name: |SECRET\n  a\n", []string{"not valid YAML"}},
	} {
		for _, in := range []string{secret, "Zq9"} {
			var s shop
			text := strings.ReplaceAll(strings.ReplaceAll(tc.text, "SECRET", in), "SE\"CRET", in[:1]+"\""+in[1:])
			err := strict.Decode("f", []byte(text), &s).Err()
			stricttest.Want(t, err, tc.want)
			if err != nil && strings.Contains(err.Error(), in[1:]) {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
	}
}

func TestAFaultOfAnUnknownKeyHidesNoOther(t *testing.T) {
	var s shop
	r := strict.Decode("f", []byte("owner: {mial: x}\nclaims: {a: 1.5}\n"), &s)
	r.BeginChecks()
	r.Fault("owner", "needs a mail")
	r.Fault("claims.a", "is not reported, because it could not be read")
	r.Report("claims.b", "must be there")
	stricttest.Want(t, r.Err(), []string{"f:1: owner: there is no such key; did you mean mail?", "f:1: owner: needs a mail",
		"f:2: claims: must be text", "f:2: claims"})
}

func TestFilesOfEveryEditorAreRead(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"as on Unix", "name: a\nowner:\n  mail: b\n", nil},
		{"as on Windows", "\ufeffname: a\r\nowner:\r\n  mail: b\r\n", nil},
		{"a block as on Windows", "\ufeffname: |-\r\n  a\r\nowner: {mail: b}\r\n", nil},
		{"Latin-1", "name: a\nowner: {mail: b}\n# f\xfcr\n", []string{"f:3: is not UTF-8"}},
		{"UTF-16", "\xff\xfen\x00", []string{"f: is UTF-16"}},
	} {
		var s shop
		err := strict.Decode("f", []byte(tc.text), &s).Err()
		if err != nil || tc.want != nil {
			stricttest.Want(t, err, tc.want)
			continue
		}
		if s.Name != "a" || s.Owner.Mail != "b" {
			t.Errorf("%s: read %+v", tc.name, s)
		}
	}
}
