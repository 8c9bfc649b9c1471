package input

import (
	"net/url"
	"reflect"
	"testing"
)

var forms = []string{"", "&", "a", "a=", "=a", "=", "a=1&b=2", "a=1&a=2&b=3&a=4", "a=b=c", "scope=openid+profile%20email", "x%26y%3D=%26", "a&b&&c=", "a=1;b=2", "a=%zz", "%zz=1", "a=%", "a=%4", "a=ü&ü=%C3%BC", "a=\x00", "+=+"}

func TestFormIsWhatParseQueryReads(t *testing.T) {
	for _, text := range forms {
		sameForm(t, text)
	}
}

// sameForm compares Form with net/url, and changes a list to see that no other one does.
func sameForm(t *testing.T, text string) {
	t.Helper()
	got, err := Form(text)
	want, wantErr := url.ParseQuery(text)
	if (err != nil) != (wantErr != nil) || err == nil && !reflect.DeepEqual(got, want) || err != nil && got != nil {
		t.Errorf("form %q = %q, %v, net/url reads %q, %v", text, got, err, want, wantErr)
	}
	for name := range got {
		got[name] = append(got[name], "more")
	}
	for name := range got {
		if !reflect.DeepEqual(got[name], append(want[name], "more")) {
			t.Errorf("form %q: appending changed %q to %q", text, name, got[name])
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, text := range forms {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 1000 {
			sameForm(t, text)
		}
	})
}
