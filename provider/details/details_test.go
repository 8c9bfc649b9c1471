package details

import (
	"reflect"
	"strings"
	"testing"
)

const payments = `
types:
  - type: payment
    title: {en: Make a payment, de: Eine Zahlung ausführen}
    members:
      - {name: amount, title: {en: Amount, de: Betrag}, required: true}
      - {name: creditor, title: {en: To}}
      - {name: actions, title: {en: Actions}, values: [initiate, cancel]}
  - type: other
    title: {en: Something else}
`

func read(t *testing.T) *Types {
	t.Helper()
	types, err := Read("types.yaml", []byte(payments))
	if err != nil {
		t.Fatal(err)
	}
	return types
}

func TestReadReportsEveryFault(t *testing.T) {
	_, err := Read("t.yaml", []byte("types:\n- type: a b\n  title: {de: x}\n- type: p\n  title: {en: \"a\\u202eb\", eng: x}\n  members:\n  - {name: type, title: {en: x}}\n- type: p\n  title: {en: x}\n  colour: red\n"))
	if err == nil {
		t.Fatal("no faults")
	}
	for _, want := range []string{"types[0].type: is required", "types[0].title: needs a text in en", "types[1].title: has texts", "types[1].members[0].name: is required", "types[2].type: is named twice", "types[2]: there is no such key"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("faults do not say %q: %v", want, err)
		}
	}
}

// Conformance (Rich authorization requests): RFC 9396 5: an unknown type, one the client may not use, an unknown or missing member or a wrong value is refused
func TestParse(t *testing.T) {
	types := read(t)
	deep := strings.Repeat(`{"a":`, 7) + "1" + strings.Repeat("}", 7)
	for name, tc := range map[string]struct{ text, want string }{
		"one":                         {`[{"type":"payment","amount":{"currency":"EUR","value":12.50}}]`, ""},
		"with a list of values":       {`[{"type":"payment","amount":1,"actions":["initiate","cancel"]}]`, ""},
		"markup is text":              {`[{"type":"payment","amount":"<b onload=x>&amp;"}]`, ""},
		"an object":                   {`{"type":"payment","amount":1}`, "not a list"},
		"an empty list":               {`[]`, "not a list"},
		"eleven":                      {"[" + strings.Repeat(`{"type":"other"},`, 10) + `{"type":"other"}]`, "not a list"},
		"no object":                   {`["payment"]`, "not an object"},
		"no type":                     {`[{"amount":1}]`, "type is missing"},
		"a type that is no text":      {`[{"type":1}]`, "type is missing"},
		"an unknown type":             {`[{"type":"loan"}]`, "unknown"},
		"a type of others":            {`[{"type":"other"},{"type":"payment","amount":1}]`, "may not use"},
		"a missing member":            {`[{"type":"payment"}]`, "amount is missing"},
		"null":                        {`[{"type":"payment","amount":null}]`, "null"},
		"an unknown member":           {`[{"type":"payment","amount":1,"locations":["x"]}]`, "member is unknown"},
		"a wrong value":               {`[{"type":"payment","amount":1,"actions":["initiate","refund"]}]`, "not allowed"},
		"no value":                    {`[{"type":"payment","amount":1,"actions":[]}]`, "empty"},
		"a name twice":                {`[{"type":"payment","amount":1,"amount":1000}]`, "twice"},
		"a name twice inside":         {`[{"type":"payment","amount":{"value":1,"value":1000}}]`, "twice"},
		"text in the other direction": {`[{"type":"payment","amount":"1\u202e0001"}]`, "direction"},
		"a line break":                {`[{"type":"payment","amount":"1\n"}]`, "control"},
		"a hidden name":               {`[{"type":"payment","amount":{"a\u200b":1}}]`, "control"},
		"too deep":                    {`[{"type":"payment","amount":` + deep + `}]`, "deeply"},
		"too long":                    {`[{"type":"payment","amount":"` + strings.Repeat("x", 2048) + `"}]`, "longer"},
		"cut off":                     {`[{"type":"payment","amount":1`, "not JSON"},
		"followed by something":       {`[{"type":"payment","amount":1}] []`, "follows"},
		"followed by a bracket":       {`[{"type":"payment","amount":1}]]junk`, "follows"},
		"followed by a brace":         {`[{"type":"payment","amount":1}]}`, "follows"},
		"an empty value":              {`[{"type":"payment","amount":""}]`, "empty"},
		"only spaces":                 {`[{"type":"payment","amount":" \u00a0\u3000"}]`, "empty"},
		"only joiners":                {`[{"type":"payment","amount":"\u200d"}]`, "empty"},
		"an empty object":             {`[{"type":"payment","amount":{}}]`, "empty"},
		"an empty value inside":       {`[{"type":"payment","amount":{"value":[]}}]`, "empty"},
		"a filler":                    {`[{"type":"payment","amount":"\u3164"}]`, "cannot be seen"},
		"a filler in a name":          {`[{"type":"payment","amount":{"a\uffa0":1}}]`, "cannot be seen"},
		"a blank of Braille":          {`[{"type":"payment","amount":"1\u2800"}]`, "cannot be seen"},
		"a name in another case":      {`[{"type":"payment","amount":1,"AMOUNT":1000}]`, "twice"},
		"one inside":                  {`[{"type":"payment","amount":{"s":1,"\u017f":1000}}]`, "twice"},
		"no JSON":                     {`payment`, "not JSON"},
	} {
		allowed := []string{"payment", "loan"}
		if strings.HasPrefix(name, "eleven") {
			allowed = []string{"other"}
		}
		list, err := types.Parse(tc.text, allowed)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if err != nil {
			continue
		}
		written, err := list.JSON()
		if again := Stored(written); err != nil || !reflect.DeepEqual(again, list) {
			t.Errorf("%s: %s is read as %v, want %v", name, written, again, list)
		}
	}
	if list, err := (*Types)(nil).Parse("", nil); list != nil || err != nil {
		t.Errorf("nothing = %v %v", list, err)
	}
	if _, err := (*Types)(nil).Parse(`[{"type":"payment"}]`, []string{"payment"}); err == nil {
		t.Error("a server without types knows one")
	}
}

func TestShow(t *testing.T) {
	types := read(t)
	list, err := types.Parse(`[{"type":"payment","creditor":"<b>Shop</b>","amount":{"value":12.50,"currency":"EUR, total: 1.00","parts":[1,{"x":2}],"final":true},"actions":["cancel","initiate"]}]`, []string{"payment"})
	if err != nil {
		t.Fatal(err)
	}
	// A line for each member inside: a text cannot pass for another member.
	rest := []Line{{"To", "<b>Shop</b>"}, {"Actions", "cancel, initiate"}}
	for lang, want := range map[string][]Shown{
		"de": {{"Eine Zahlung ausführen", append([]Line{{"Betrag: currency", "EUR, total: 1.00"}, {"Betrag: final", "✓"}, {"Betrag: parts: 1", "1"}, {"Betrag: parts: 2: x", "2"}, {"Betrag: value", "12.50"}}, rest...)}},
		"fr": {{"Make a payment", append([]Line{{"Amount: currency", "EUR, total: 1.00"}, {"Amount: final", "✓"}, {"Amount: parts: 1", "1"}, {"Amount: parts: 2: x", "2"}, {"Amount: value", "12.50"}}, rest...)}},
	} {
		if got := types.Show(list, lang); !reflect.DeepEqual(got, want) {
			t.Errorf("in %s: %v, want %v", lang, got, want)
		}
	}
}
