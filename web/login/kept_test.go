package login

import (
	"reflect"
	"strings"
	"testing"

	"sallyport/storage"
	"sallyport/web/page"
)

// A login page with another value of any field is another page, or is not kept.
func TestTheShapeOfALoginPageHasEveryField(t *testing.T) {
	const request = storage.RequestID("r-0123456789abcdef")
	plain := func() loginPage {
		return loginPage{Focus: "username", request: request, Ceremony: page.Ceremony{Call: "get", Fresh: "/login/passkey?requestId=" + string(request),
			Options: `{"challenge":"c-0123456789abcdef","timeout":1}`}}
	}
	first, random, ok := plain().Kept()
	if !ok || len(random) != 1 || random[0] != "c-0123456789abcdef" {
		t.Fatalf("the page has the random values %q, %v", random, ok)
	}
	other := plain()
	other.Options, other.Fresh, other.request = strings.Replace(other.Options, "c-0", "c-1", 1), strings.Replace(other.Fresh, "r-0", "r-1", 1), "r-1123456789abcdef"
	if shape, _, ok := other.Kept(); !ok || shape != first {
		t.Errorf("another challenge and request = %+v, want %+v", shape, first)
	}
	differ(t, first, plain, reflect.TypeFor[loginPage](), nil)
}

// differ changes one field after the other.
func differ(t *testing.T, first any, plain func() loginPage, of reflect.Type, at []int) {
	t.Helper()
	for f := range of.Fields() {
		index := append(append([]int{}, at...), f.Index...)
		if f.Type.Kind() == reflect.Struct {
			differ(t, first, plain, f.Type, index)
			continue
		}
		if !f.IsExported() {
			continue // request, which is random
		}
		d := plain()
		switch v := reflect.ValueOf(&d).Elem().FieldByIndex(index); v.Kind() {
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Int:
			v.SetInt(v.Int() + 1)
		default:
			v.Set(reflect.ValueOf([]string{"email"}))
		}
		if shape, _, ok := d.Kept(); ok && shape == first {
			t.Errorf("another %s is not in the shape of the page", f.Name)
		}
	}
}
