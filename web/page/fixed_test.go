package page

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"sallyport/storage/storagetest"
)

// places has texts with and without markup, parameters and forms, in every kind of place.
var places = fstest.MapFS{
	"templates/places.html": {Data: []byte(`{{define "title"}}{{.T "plain"}}{{.T "marked"}}{{end}}{{define "content"}}<p title="{{.T "plain"}}" class={{.T "plain"}}>{{$.T "plain"}}</p>` +
		`{{with .Data}}<i title="{{$.T "marked"}}">{{$.T "marked"}}</i>{{else}}<b>{{.T "plain"}}</b>{{end}}{{range .Languages}}{{$.T "plain"}}{{end}}` +
		`<a href="{{.Static}}/x" title="{{$.Product}}">{{.Product}}</a>{{with .Client}}{{.Name}}{{$.Product}}{{end}}` +
		`{{with .Data}}{{with .Nested}}{{.Product}}{{end}}{{end}}<a href="{{.Product}}" data-x='{{.Product}}'>{{.Static}}</a>` +
		`<a href="{{.T "plain"}}" data-x='{{.T "marked"}}'>{{.T "named" "Who" "<Ada>"}}{{.T "plain" | printf "%s!"}}</a>{{$later := .T "marked"}}{{$later}}` +
		`<script nonce="{{.Nonce}}">let text = {{.T "plain"}}, other = "{{.T "marked"}}"</script>{{end}}`)},
	"messages/en.json": {Data: []byte(`{"plain": "Sign in, please", "marked": "<b>you're & \"we\"</b> 1+1", "named": "{{.Who}} and {{.Least}}"}`)},
	"messages/de.json": {Data: []byte(`{"plain": "Bitte anmelden: ü", "marked": "<b>du's & \"wir\"</b> 1+1", "named": "{{.Who}} und {{.Least}}"}`)},
}

// nested has a field of the name of one that is fixed on a page.
type nested struct{ Nested struct{ Product string } }

func TestFixedTextsAreWrittenAsTheyWereCalled(t *testing.T) {
	for _, product := range []string{"Sallyport", "Acme Sign-in", "<Acme> & 'sons'"} {
		t.Run(product, func(t *testing.T) { fixedTexts(t, product) })
	}
}

func fixedTexts(t *testing.T, product string) {
	keyring, _ := storagetest.Keyring(t, t0)
	l, err := New(keyring, Options{Issuer: issuer, Product: product}, places)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := newTemplates(layers{embedded, places}, l.texts)
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []string{"en", "de"} {
		for _, data := range []any{nil, nested{struct{ Product string }{"other"}}} {
			v := &Page{speaker: l.texts.in(lang), Product: l.product, Static: l.static.address, Least: 8, Client: Client{Name: "RP"}, Nonce: "n", Data: data, Here: "/", languages: []string{"en", "de"}}
			var called, written bytes.Buffer
			if err := plain["places"].Execute(&called, v); err != nil {
				t.Fatal(err)
			}
			if err := l.pages.execute(&written, "places", v); err != nil {
				t.Fatal(err)
			}
			if called.String() != written.String() {
				t.Errorf("in %s, called:\n%s\nwritten:\n%s", lang, &called, &written)
			}
		}
	}
	german, err := l.pages["de"]["places"]()
	if err != nil {
		t.Fatal(err)
	}
	tree := german.Lookup("content").Tree.Root.String()
	if strings.Contains(tree, `{{$.T "plain"`) || !strings.Contains(tree, `{{$.T "marked"`) || !strings.Contains(tree, "<b>Bitte anmelden: ü</b>") {
		t.Errorf("the template in German: %s", tree)
	}
}

func TestAPageInAnotherLanguageHasTheClosestTexts(t *testing.T) {
	l := newLook(t)
	for lang, want := range map[string]string{"de-AT": "<h1>Halle</h1>", "en-GB": "<h1>Hall</h1>", "fr": "<h1>Hall</h1>"} {
		v := &Page{speaker: l.texts.in(lang), languages: []string{lang}}
		var b bytes.Buffer
		if err := l.pages.execute(&b, "hall", v); err != nil || !strings.Contains(b.String(), want) || !strings.Contains(b.String(), `lang="`+lang+`"`) {
			t.Errorf("page in %s = %s, %v", lang, &b, err)
		}
	}
}

func TestManyMayBeTheFirstToSeeAPage(t *testing.T) {
	l := newLook(t)
	var all sync.WaitGroup
	for i := range 16 {
		lang, want := "en", "<h1>Hall</h1>"
		if i%2 == 0 {
			lang, want = "de", "<h1>Halle</h1>"
		}
		all.Go(func() {
			var b bytes.Buffer
			v := &Page{speaker: l.texts.in(lang), languages: []string{lang}}
			if err := l.pages.execute(&b, "hall", v); err != nil || !strings.Contains(b.String(), want) {
				t.Errorf("page in %s = %s, %v", lang, &b, err)
			}
		})
	}
	all.Wait()
}
