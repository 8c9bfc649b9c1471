package page

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// catalogue holds every text of the pages in every language.
type catalogue struct {
	bundle   *i18n.Bundle
	keys     map[string]bool
	fixed    map[string]map[string]string // by language and key: texts without parameters
	speakers map[string]*speaker          // by language
}

// newCatalogue reads the message files of all layers, the lowest first: a file of a higher
// one may hold only some of the texts.
func newCatalogue(files layers) (*catalogue, error) {
	k := &catalogue{bundle: i18n.NewBundle(language.English), keys: map[string]bool{}, fixed: map[string]map[string]string{}, speakers: map[string]*speaker{}}
	k.bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	for _, l := range files {
		found, err := fs.Glob(l, "messages/*.json")
		if err != nil {
			return nil, fmt.Errorf("list texts: %w", err)
		}
		for _, name := range found {
			if err := k.read(l, name); err != nil {
				return nil, err
			}
		}
	}
	for lang := range k.fixed {
		k.speakers[lang] = k.newSpeaker(lang)
	}
	return k, nil
}

func (k *catalogue) read(files fs.FS, name string) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("read texts: %w", err)
	}
	f, err := k.bundle.ParseMessageFileBytes(text, path.Base(name))
	if err != nil {
		return fmt.Errorf("read texts of %s: %w", name, err)
	}
	lang := f.Tag.String()
	if k.fixed[lang] == nil {
		k.fixed[lang] = map[string]string{}
	}
	for _, m := range f.Messages {
		k.keys[m.ID] = true
		delete(k.fixed[lang], m.ID) // of a lower layer
		if m.Other != "" && !strings.Contains(m.Other, cmp.Or(m.LeftDelim, "{{")) {
			k.fixed[lang][m.ID] = m.Other
		}
	}
	return nil
}

// speaker returns texts in one language.
type speaker struct {
	lang      string
	texts     string // language of the texts: the closest to lang that there is
	catalogue *catalogue
	localizer *i18n.Localizer
	printer   *message.Printer
	fixed     map[string]string
}

// in returns the speaker of a language.
func (k *catalogue) in(lang string) *speaker {
	if s := k.speakers[lang]; s != nil {
		return s
	}
	return k.newSpeaker(lang)
}

func (k *catalogue) newSpeaker(lang string) *speaker {
	all := k.bundle.LanguageTags()
	_, closest, _ := language.NewMatcher(all).Match(language.Make(lang))
	texts := all[closest].String()
	return &speaker{lang: lang, texts: texts, catalogue: k, localizer: i18n.NewLocalizer(k.bundle, lang),
		printer: message.NewPrinter(language.Make(lang)), fixed: k.fixed[texts]}
}

// say returns a text. An unknown key is an error, so that tests find a template with one.
func (s *speaker) say(key string, data map[string]any) (string, error) {
	if text, ok := s.fixed[key]; ok {
		return text, nil
	}
	for name, value := range data {
		switch value.(type) {
		case int, int64:
			data[name] = s.number(value)
		}
	}
	text, err := s.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: data})
	if err != nil {
		return "", fmt.Errorf("text %q: %w", key, err)
	}
	return text, nil
}

// either returns the first key that has a text: templates know no method or scope by name,
// but some of these have texts of their own.
func (s *speaker) either(keys ...string) string {
	for _, k := range keys[:len(keys)-1] {
		if s.catalogue.keys[k] {
			return k
		}
	}
	return keys[len(keys)-1]
}

// wait formats a duration, in whole minutes if it is longer than a minute.
func (s *speaker) wait(d time.Duration) (string, error) {
	key, n := "wait.seconds", int((d+time.Second-1)/time.Second)
	if n > 60 {
		key, n = "wait.minutes", int((d+time.Minute-1)/time.Minute)
	}
	return s.count(key, max(n, 1))
}

// number writes a number as the language does: 1,234 or 1.234.
func (s *speaker) number(n any) string { return s.printer.Sprint(n) }

// count returns a text with a number, in the plural form of the number.
func (s *speaker) count(key string, n int) (string, error) {
	text, err := s.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, PluralCount: n, TemplateData: map[string]any{"N": s.number(n)}})
	if err != nil {
		return "", fmt.Errorf("text %q: %w", key, err)
	}
	return text, nil
}

// pairs converts name, value, name, value, ... to template data.
func pairs(args []any) (map[string]any, error) {
	if len(args)%2 != 0 {
		return nil, fmt.Errorf("odd number of arguments: %d", len(args))
	}
	data := make(map[string]any, len(args)/2)
	for i := 0; i < len(args); i += 2 {
		name, ok := args[i].(string)
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("argument %d is not a name", i)
		}
		data[name] = args[i+1]
	}
	return data, nil
}
