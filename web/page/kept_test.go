package page

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// room is data whose page may be kept.
type room struct {
	Name string
	Key  string // random
	Hide string // shown, but not part of the shape
	Text string // personal
	More string // personal
}

func (r room) Kept() (Kept, bool) {
	return Kept{Shape: r.Name, Random: []string{r.Key}, Texts: []string{r.Text, r.More}}, r.Name != "mine"
}

func (r room) With(texts []string) any {
	r.Text, r.More = texts[0], texts[1]
	return r
}

var rooms = fstest.MapFS{
	"templates/room.html": {Data: []byte(`{{define "title"}}Room{{end}}{{define "content"}}<p title="{{.Data.Key}}">{{.Data.Name}} {{.Support}} {{.Data.Hide}}</p>` +
		`<a href="{{.On "/x"}}">{{.CSRF}}</a><script nonce="{{.Nonce}}">let key = {{.Data.Key}}</script>{{if .Alert}}{{.Alert.Key}}{{end}}{{.Account}}{{end}}`)},
	"templates/person.html": {Data: []byte(`{{define "title"}}{{.Data.Text}}{{end}}{{define "content"}}{{template "account" .}}<p title="{{.Data.Text}}" data-x='a {{.Data.More}} b'>{{.Data.More}}, {{.T "client.policy" "Client" .Data.Text}} ` +
		`{{if .Data.More}}Secured{{end}} &amp; Continue to</p><textarea>{{.Data.Text}}</textarea><button>{{.T "account.restart"}}</button><script nonce="{{.Nonce}}"></script>{{end}}`)},
	"templates/link.html":    {Data: []byte(`{{define "title"}}Link{{end}}{{define "content"}}<a href="/x?name={{.Data.Text}}">x</a>{{end}}`)},
	"templates/path.html":    {Data: []byte(`{{define "title"}}Link{{end}}{{define "content"}}<a href="{{.Data.Text}}">x</a>{{end}}`)},
	"templates/bare.html":    {Data: []byte(`{{define "title"}}Link{{end}}{{define "content"}}<a title={{.Data.Text}}>x</a>{{end}}`)},
	"templates/script.html":  {Data: []byte(`{{define "title"}}Script{{end}}{{define "content"}}<script nonce="{{.Nonce}}">let name = {{.Data.Text}}</script>{{end}}`)},
	"templates/initial.html": {Data: []byte(`{{define "title"}}Initial{{end}}{{define "content"}}{{slice .Data.Text 0 1}}{{end}}`)},
	"templates/length.html":  {Data: []byte(`{{define "title"}}Length{{end}}{{define "content"}}{{len .Data.Text}}{{end}}`)},
	"templates/same.html":    {Data: []byte(`{{define "title"}}Same{{end}}{{define "content"}}{{if eq .Data.Text .Data.More}}both{{else}}two{{end}} {{.Data.Text}}{{end}}`)},
	"templates/cut.html":     {Data: []byte(`{{define "title"}}Cut{{end}}{{define "content"}}{{slice .CSRF 0 4}} {{len .Data.Name}}{{end}}`)},
}

func keeping(t *testing.T) *Look {
	t.Helper()
	keyring, _ := storagetest.Keyring(t, t0)
	l, err := New(keyring, Options{Issuer: issuer}, rooms)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// roomPage returns a page with its own random values.
func (l *Look) roomPage(n int, data room) *Page {
	random := func(what string) string { return fmt.Sprintf("%s-%020d", what, n) }
	data.Key = random("key")
	v := &Page{speaker: l.texts.in("en"), Product: l.product, Static: l.static.address, Least: 8, Nonce: random("nonce"), Support: random("support"), CSRF: random("csrf"),
		Request: storage.RequestID(random("request")), Client: Client{ID: "rp", Name: "R&D"}, Data: data, languages: []string{"en", "de"}}
	v.Here = "/room?requestId=" + random("request") + "&client_id=rp"
	return v
}

// writeRoom writes a page, reports whether it was rendered, and compares it with what a rendering
// would have been.
func writeRoom(t *testing.T, l *Look, name string, v *Page) (rendered bool) {
	t.Helper()
	var got, want bytes.Buffer
	err := l.kept.write(&got, name, v, func(w io.Writer, name string, v *Page) error {
		rendered = true
		return l.pages.execute(w, name, v)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.pages.execute(&want, name, v); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Errorf("written:\n%s\nrendered:\n%s", &got, &want)
	}
	return rendered
}

func TestAPageIsRenderedUntilTwoDifferInRandomValuesOnly(t *testing.T) {
	l, languages := keeping(t), []string{"en", "de"}
	for i, want := range []bool{true, true, false, false} {
		for _, name := range []string{"hall", "<R&D>"} {
			v := l.roomPage(i, room{Name: name})
			v.languages = languages
			if got := writeRoom(t, l, "room", v); got != want {
				t.Errorf("page %d of %s was rendered: %v, want %v", i, name, got, want)
			}
		}
	}
}

func TestThePageOfSomebodyIsNotKept(t *testing.T) {
	l, languages := keeping(t), []string{"en"}
	for what, change := range map[string]func(*Page){
		"a user twice":        func(v *Page) { v.Account, v.User = "ada", "u-1" },
		"one name":            func(v *Page) { v.Account = "ada" },
		"an alert":            func(v *Page) { v.Alert = &Alert{Key: "status.500"} },
		"frames":              func(v *Page) { v.Frames = []string{"https://rp.example"} },
		"data that says so":   func(v *Page) { v.Data = room{Name: "mine", Key: strings.Repeat("k", 32)} },
		"other data":          func(v *Page) { v.Data = struct{ Name, Key, Hide string }{} },
		"no browser":          func(v *Page) { v.CSRF = "" },
		"a short request":     func(v *Page) { v.Request = "abc" },
		"markup in a request": func(v *Page) { v.Request += "<b>" },
		"a long address":      func(v *Page) { v.Here += strings.Repeat("x", longestHere) },
	} {
		for i := range 4 {
			v := l.roomPage(i, room{Name: "hall"})
			v.languages = languages
			change(v)
			if !writeRoom(t, l, "room", v) {
				t.Errorf("page %d with %s was kept", i, what)
			}
		}
	}
}

// A template may do anything with random values, and data may forget what its page shows.
func TestAPageThatDependsOnMoreThanItsShapeIsNeverKept(t *testing.T) {
	l, languages := keeping(t), []string{"en"}
	for i := range 4 {
		cut, hidden := l.roomPage(i, room{Name: "hall"}), l.roomPage(i, room{Name: "hall", Hide: fmt.Sprint("user ", i)})
		cut.languages, hidden.languages = languages, languages
		cut.CSRF = fmt.Sprint(i, cut.CSRF)
		if !writeRoom(t, l, "cut", cut) || !writeRoom(t, l, "room", hidden) {
			t.Errorf("page %d was kept", i)
		}
	}
}

// The same values twice prove nothing about others.
func TestTheSameRandomValuesProveNoPage(t *testing.T) {
	l, languages := keeping(t), []string{"en"}
	for i := range 4 {
		v := l.roomPage(1, room{Name: "hall"})
		v.languages, v.Nonce = languages, fmt.Sprintf("nonce-%020d", i)
		if !writeRoom(t, l, "room", v) {
			t.Errorf("page %d was kept", i)
		}
	}
}

func TestKeptPagesHaveABound(t *testing.T) {
	l := keeping(t)
	for i := range 3 * mostKept {
		writeRoom(t, l, "room", l.roomPage(i, room{Name: fmt.Sprint(i)}))
	}
	if n := len(l.kept.all); n > mostKept {
		t.Errorf("%d pages are kept, want %d at most", n, mostKept)
	}
}

func TestManyMayWriteKeptPages(t *testing.T) {
	l, languages := keeping(t), []string{"en"}
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			v := l.roomPage(i, room{Name: fmt.Sprint(i % 4)})
			v.languages = languages
			writeRoom(t, l, "room", v)
		})
	}
	all.Wait()
}

// A page of another value of any field is another page, or is not kept.
func TestAShapeHasEveryFieldOfAPage(t *testing.T) {
	same := []string{"Product", "Static", "Least", "Contact"}                            // on every page of a Look
	random := []string{"Nonce", "Support", "CSRF", "Request", "Here", "Account", "User"} // Here: below; Account: in texts
	l := keeping(t)
	zero, _, ok := shapeOf("room", l.roomPage(1, room{Name: "hall"}))
	if !ok {
		t.Fatal("the page is not kept")
	}
	zero.languages = nil
	for f := range reflect.TypeFor[Page]().Fields() {
		if slices.Contains(same, f.Name) || slices.Contains(random, f.Name) {
			continue
		}
		v := l.roomPage(1, room{Name: "hall"})
		switch field := reflect.ValueOf(v).Elem().FieldByName(f.Name); f.Name {
		case "speaker":
			v.speaker = l.texts.in("de")
		case "languages":
			v.languages = []string{"de"}
		case "Data":
			v.Data = room{Name: "other", Key: strings.Repeat("k", 32)}
		case "Client":
			v.Client.Policy = "https://rp.example/policy"
		case "Alert":
			v.Alert = &Alert{}
		default:
			switch field.Kind() {
			case reflect.String:
				field.SetString("x")
			case reflect.Bool:
				field.SetBool(true)
			default:
				field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			}
		}
		s, _, ok := shapeOf("room", v)
		s.languages = nil
		if ok && s == zero {
			t.Errorf("another %s is not in the shape of a page", f.Name)
		}
	}
	v := l.roomPage(1, room{Name: "hall"})
	v.Here += "&then=x"
	if s, _, ok := shapeOf("room", v); ok && s.here == zero.here {
		t.Error("another address is not in the shape of a page")
	}
}

// hostile are names that a page must show to their user alone, and as they are.
var hostile = []string{"ada", "bob & \"sons\" <b>", "'+`=", "\x00null\x00", "\u202ertl\u202c", strings.Repeat("long", 5000), "Continue to", "strong", "<strong>", "</p>", "&amp;",
	"a", "bc", "nonce-", "\xff\xfe invalid", "{{.CSRF}}", "\ufdd0\uffff", "ünï", "a\r\nb", "%27", "javascript:alert(1)"}

// personal returns the page of one of the hostile names.
func (l *Look) personal(lang string, languages []string, n int, more string) *Page {
	v := l.roomPage(n, room{Name: "hall", Text: hostile[(n+7)%len(hostile)], More: more})
	v.speaker, v.languages = l.texts.in(lang), languages
	v.Account, v.User = hostile[n%len(hostile)], storage.UserID(fmt.Sprint("u-", n))
	return v
}

func TestANameIsAHoleInAKeptPage(t *testing.T) {
	l, languages := keeping(t), []string{"en", "de"}
	for _, lang := range languages {
		for i := range 3 * len(hostile) {
			more := hostile[i%len(hostile)] // the name of the account, once more
			if got, want := writeRoom(t, l, "person", l.personal(lang, languages, i, more)), i < 2; got != want {
				t.Errorf("page %d in %s was rendered: %v, want %v", i, lang, got, want)
			}
		}
		for i := range 4 {
			writeRoom(t, l, "person", l.personal(lang, languages, i, "")) // another shape
		}
	}
}

// Whatever the first names are, a page is cut at none of them.
func TestNoPageIsCutAtAName(t *testing.T) {
	languages := []string{"en"}
	for i := range hostile {
		l := keeping(t)
		for n := range 4 {
			writeRoom(t, l, "person", l.personal("en", languages, i+n, hostile[(i+2*n)%len(hostile)]))
		}
	}
}

// A template that does more with a name than to show it as HTML or in an attribute is rendered.
func TestANameThatIsNotShownAsItIsKeepsNoPage(t *testing.T) {
	l, languages := keeping(t), []string{"en"}
	for _, name := range []string{"link", "path", "bare", "script", "initial", "length", "same"} {
		for i := range 6 {
			v := l.personal("en", languages, i, "bob")
			if v.Data = (room{Name: "hall", Text: fmt.Sprint("ada", i), More: fmt.Sprint("ada", i), Key: v.Data.(room).Key}); !writeRoom(t, l, name, v) {
				t.Errorf("page %d of %s was kept", i, name)
			}
		}
	}
}

// What a shape forgets of one user must not be shown to another, however often that user comes first.
func TestPagesOfOneUserProveNothing(t *testing.T) {
	l, languages := keeping(t), []string{"en"}
	for i := range 8 {
		v := l.personal("en", languages, i, "x")
		v.User, v.Data = "u-ada", room{Name: "hall", Hide: "address of ada", Text: fmt.Sprint(i), Key: v.Data.(room).Key}
		if !writeRoom(t, l, "room", v) {
			t.Errorf("page %d was kept", i)
		}
	}
	for i := range 4 {
		v := l.personal("en", languages, 20+i, "x")
		v.Data = room{Name: "hall", Hide: "address of bob", Text: fmt.Sprint(i), Key: v.Data.(room).Key}
		writeRoom(t, l, "room", v)
	}
}
