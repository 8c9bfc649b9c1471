package api_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var handle = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|20\d\d-[0-9TZ:.-]+`)

// shape is a response without what differs from login to login.
func shape(r reply) string {
	delete(r.body, "support_id")
	text, err := json.Marshal(r.body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(r.code, handle.ReplaceAllString(string(text), "*"))
}

// A caller cannot find out which users exist, nor which have a second factor.
func TestUnknownNamesLookKnown(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa")
	// Of many unknown names some have the same factors as ada.
	ada := h.app()
	ada.begin("lone")
	known := ada.call("/identify", "identifier", "ada")
	twin := ""
	for i := 0; twin == "" && i < 64; i++ {
		a := h.app()
		a.begin("lone")
		name := fmt.Sprintf("nobody%d", i)
		r := a.call("/identify", "identifier", name).at("identify")
		if again := a.call("/identify", "identifier", " "+strings.ToUpper(name)); shape(again) != shape(r) || again.raw != r.raw {
			t.Errorf("%s has other options in a second call: %s, %s", name, r.raw, again.raw)
		}
		if r.methods() == known.methods() {
			twin = name
		}
	}
	if twin == "" {
		t.Fatal("no invented name has the options of a real one")
	}
	walk := func(name string) []string {
		a := h.app()
		out := []string{shape(a.begin("lone")), shape(a.call("/identify", "identifier", name)),
			shape(a.call("/password", "identifier", name, "password", "wrong horse"))}
		initiation := a.call("/initiate", "identifier", name, "method", "totp")
		out = append(out, shape(initiation))
		exchange := initiation.body["exchange"].(map[string]any)["exchange_id"]
		for range 6 {
			out = append(out, shape(a.call("/verify", "identifier", name, "method", "totp", "exchange_id", exchange, "passcode", "000000")))
		}
		for range 6 {
			out = append(out, shape(a.call("/password", "identifier", name, "password", "wrong horse")))
		}
		return append(out, shape(a.call("/initiate", "identifier", name, "method", "recovery")), shape(a.call("/verify", "identifier", name, "method", "carrier pigeon", "passcode", "000000")))
	}
	if real, invented := walk("ada"), walk(twin); !slices.Equal(real, invented) {
		for i := range real {
			if real[i] != invented[i] {
				t.Errorf("response %d:\nada  %s\n%s %s", i, real[i], twin, invented[i])
			}
		}
	}
}

func TestInvalidIdentifiersAreUnknown(t *testing.T) {
	h := newFixture(t)
	a := h.app()
	a.begin("front")
	for _, name := range []string{"a@@b", "\u202e", strings.Repeat("x", 5000), "+49"} {
		a.call("/identify", "identifier", name).at("identify")
		a.call("/password", "identifier", name, "password", password).refused(422, "invalid_credentials")
	}
	a.call("/identify").refused(400, "invalid_request")
	a.call("/password", "password", password).refused(400, "invalid_request")
}
