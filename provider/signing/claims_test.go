package signing

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestASingleAudienceIsAString(t *testing.T) {
	for _, tc := range []struct {
		in   Audience
		want string
	}{{Audience{"a"}, `"a"`}, {Audience{"a", "b"}, `["a","b"]`}, {Audience{}, `[]`}} {
		got, err := json.Marshal(tc.in)
		if err != nil || string(got) != tc.want {
			t.Errorf("aud = %s, %v, want %s", got, err, tc.want)
		}
		var back Audience
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, tc.in) {
			t.Errorf("aud read again = %v, %v, want %v", back, err, tc.in)
		}
	}
	for _, text := range []string{`1`, `{}`, `["a",1]`, `[["a"]]`, `["a",null]`, `true`} {
		var a Audience
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s = %v, want an error", text, a)
		}
	}
}
