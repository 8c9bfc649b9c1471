package login

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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
	first, ok := plain().Kept()
	if !ok || !slices.Equal(first.Random, []string{"c-0123456789abcdef"}) {
		t.Fatalf("the page has the random values %q, %v", first.Random, ok)
	}
	other := plain()
	other.Options, other.Fresh, other.request = strings.Replace(other.Options, "c-0", "c-1", 1), strings.Replace(other.Fresh, "r-0", "r-1", 1), "r-1123456789abcdef"
	if k, ok := other.Kept(); !ok || k.Shape != first.Shape {
		t.Errorf("another challenge and request = %+v, want %+v", k.Shape, first.Shape)
	}
	differ(t, plain, reflect.TypeFor[loginPage](), nil)
	differ(t, func() loginPage { return loginPage{Username: "ada", Known: true, Focus: "password"} }, reflect.TypeFor[loginPage](), nil)
}

// So is a page for a second factor, and one for a code.
func TestTheShapesOfPagesWithNamesHaveEveryField(t *testing.T) {
	differ(t, func() mfaPage {
		return mfaPage{Way: &option{ID: "totp", Method: "totp", Chosen: "a-0123456789abcdef", Name: "phone"},
			Others: []option{{ID: "totp-2", Method: "totp", Chosen: "a-1123456789abcdef", Address: "b***"}}}
	}, reflect.TypeFor[mfaPage](), nil)
	differ(t, func() mfaPage { return mfaPage{Way: &option{}} }, reflect.TypeFor[mfaPage](), nil)
	differ(t, func() codePage { return codePage{Username: "ada", Exchange: "e-0123456789abcdef", Method: "email"} }, reflect.TypeFor[codePage](), nil)
	differ(t, func() codePage { return codePage{Username: "ada"} }, reflect.TypeFor[codePage](), nil)

	of := reflect.TypeFor[option]()
	for f := range of.Fields() {
		if f.Name == "used" {
			continue // which is not shown
		}
		for _, which := range []int{0, 1} {
			plain := func() (mfaPage, *option) {
				d := mfaPage{Way: &option{Method: "totp"}, Others: []option{{Method: "recovery"}}}
				return d, []*option{d.Way, &d.Others[0]}[which]
			}
			a, _ := plain()
			b, w := plain()
			change(reflect.ValueOf(w).Elem().FieldByIndex(f.Index))
			if same(a, b) {
				t.Errorf("another %s of an option is not in the shape of the page", f.Name)
			}
		}
	}
}

// same reports whether two pages are kept as one, with the same holes.
func same(a, b page.Data) bool {
	one, ok := a.Kept()
	two, kept := b.Kept()
	return ok && kept && one.Shape == two.Shape && slices.Equal(one.Random, two.Random) && slices.Equal(one.Texts, two.Texts)
}

// The texts of a page with other ones are these.
func TestAPageWithOtherTextsHasThem(t *testing.T) {
	for _, d := range []page.Data{loginPage{Username: "ada"}, codePage{Username: "ada"},
		mfaPage{Way: &option{Name: "a", Address: "b"}, Others: []option{{Name: "c", Address: "d"}, {Name: "e", Address: "f"}}}} {
		before, _ := d.Kept()
		want := make([]string, len(before.Texts))
		for i := range want {
			want[i] = "text " + before.Texts[i]
		}
		after, _ := d.With(want).(page.Data).Kept()
		again, _ := d.Kept()
		if !slices.Equal(after.Texts, want) || after.Shape != before.Shape || !slices.Equal(again.Texts, before.Texts) {
			t.Errorf("%T with other texts has %q and %+v; itself has %q", d, after.Texts, after.Shape, again.Texts)
		}
	}
}

// differ changes one field after the other.
func differ[T page.Data](t *testing.T, plain func() T, of reflect.Type, at []int) {
	t.Helper()
	for f := range of.Fields() {
		index := append(append([]int{}, at...), f.Index...)
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
			differ(t, plain, f.Type, index)
			continue
		}
		if !f.IsExported() {
			continue // request, which is random
		}
		d := plain()
		change(reflect.ValueOf(&d).Elem().FieldByIndex(index))
		if same(plain(), d) {
			t.Errorf("another %s is not in the shape of the page", f.Name)
		}
	}
}

// change changes a field.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Struct:
		v.Set(reflect.ValueOf(t0))
	case reflect.Pointer:
		v.SetZero()
	default:
		if v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.ValueOf([]string{"email"}))
		} else {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		}
	}
}
