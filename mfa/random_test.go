package mfa

import (
	"bytes"
	"testing"
)

func TestUniformSkipsWhatWouldBeLikelier(t *testing.T) {
	// 4294967295 = 4294967290 + 5, so 4294967290 and above are skipped for n = 10.
	for in, want := range map[string]uint32{"\x00\x00\x00\x07": 7, "\xff\xff\xff\xf9": 9, "\xff\xff\xff\xfa\x00\x00\x00\x03": 3, "\xff\xff\xff\xff\x00\x00\x00\x01": 1} {
		got, err := Uniform(bytes.NewReader([]byte(in)), 10)
		if err != nil || got != want {
			t.Errorf("Uniform of %x = %d, %v; want %d", in, got, err, want)
		}
	}
	if _, err := Uniform(bytes.NewReader([]byte("\x00")), 10); err == nil {
		t.Error("no error without randomness")
	}
}
